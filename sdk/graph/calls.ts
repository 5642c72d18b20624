import type { DataType } from "@tensorflow/tfjs";
import { Operation } from "../model/operations/operation.js";
import { type HeldEdge, innerEdges } from "./inner.js";
import { fields, type Layer } from "./layers.js";
import { products, size } from "./macs.js";
import type { Call, Plan } from "./plan.js";
import { INSIDE, type Observation, probe } from "./probe.js";
import type { Read } from "./variables.js";

/** A tensor that exists once per sample: a model input or the output of a layer call. */
export interface GraphTensor {
  readonly elements: number;
  /** Position of the call that makes it; -1 for what enters the model. */
  readonly producer: number;
  /** Whether the model returns it. */
  readonly output: boolean;
  /** Whether its values are those of the model's input, perhaps rearranged: 8-bit data. */
  readonly modelInput: boolean;
}

/** One input of one layer call. */
export interface Edge {
  readonly id: string;
  readonly layer: string;
  readonly shape: readonly number[];
  /** Position in `tensors`. */
  readonly tensor: number;
  /** Position in `calls`. */
  readonly call: number;
  /** Why its values are no factors, where they are none. */
  readonly apart: string | undefined;
}

/** An edge inside a layer call; see `InnerEdge`. */
export interface CallInnerEdge {
  readonly id: string;
  readonly layer: string;
  /** Of all values of a sample: with the steps before the shape of one, where there are several. */
  readonly shape: readonly number[];
  /** Position in `calls`. */
  readonly call: number;
  readonly held: HeldEdge;
}

/**
 * Multiply-accumulates per sample of a call in which two factors meet, by their ids: a variable or an inner edge, and an
 * edge or (absent) a tensor inside the layer.
 */
export interface Product {
  readonly weight: string;
  readonly input?: string;
  readonly macs: number;
}

export interface LayerCall {
  readonly layer: string;
  readonly className: string;
  /** Whether its result is made as the values of its input arrive: value by value, or under other dimensions. */
  readonly streams: boolean;
  /** Ids of its input edges. */
  readonly inputs: readonly string[];
  /** Positions in `tensors`. */
  readonly outputs: readonly number[];
  readonly products: readonly Product[];
  /** What a layer that is not built in was seen to compute with. */
  readonly observed?: Observation;
}

/** What a plan computes, by names and sizes. */
export interface Calls {
  readonly calls: readonly LayerCall[];
  readonly edges: readonly Edge[];
  readonly inner: readonly CallInnerEdge[];
  readonly tensors: readonly GraphTensor[];
}

/** Layers that change images while training, and leave them as they are afterwards. */
const AUGMENTATIONS = [
  "RandomFlip",
  "RandomTranslation",
  "RandomRotation",
  "RandomZoom",
  "RandomBrightness",
  "RandomContrast",
];

/** Layers that only move values about, or rescale all of them alike. */
const MOVES = new Set([
  ...AUGMENTATIONS,
  "UpSampling1D",
  "UpSampling3D",
  "Flatten",
  "Reshape",
  "Permute",
  "RepeatVector",
  "Identity",
  "GivenMask",
  "Cropping1D",
  "Cropping2D",
  "Cropping3D",
  "ZeroPadding1D",
  "ZeroPadding2D",
  "ZeroPadding3D",
  "CenterCrop",
  "Rescaling",
]);

/** Layers that work value by value, or only rename dimensions: their result is made as the values arrive. */
const STREAMED = new Set([
  ...AUGMENTATIONS,
  "Activation",
  "ReLU",
  "LeakyReLU",
  "PReLU",
  "ELU",
  "ThresholdedReLU",
  "BatchNormalization",
  "Dropout",
  "SpatialDropout1D",
  "SpatialDropout2D",
  "SpatialDropout3D",
  "StochasticDepth",
  "DropPath",
  "GaussianNoise",
  "GaussianDropout",
  "AlphaDropout",
  "Masking",
  "Identity",
  "GivenMask",
  "ActivityRegularization",
  "Normalization",
  "LayerScale",
  "Rescaling",
  "Flatten",
  "Reshape",
]);

/** Activations that bring values together. */
const JOINING = new Set(["softmax", "logSoftmax", "log_softmax", "sparsemax", "glu"]);

/** Classes whose inputs are positions in a table. */
const LOOKUPS = new Set(["Embedding"]);

const moves = (layer: Layer): boolean =>
  layer instanceof Operation ? layer.moves : MOVES.has(layer.getClassName());
const streams = (layer: Layer): boolean => {
  if (layer instanceof Operation) return layer.streams;
  const [activation] = fields(layer).activation?.getClassName().split("(") ?? [];
  return STREAMED.has(layer.getClassName()) && !JOINING.has(activation ?? "");
};
const looksUp = (layer: Layer): boolean =>
  layer.getClassName() === "TimeDistributed"
    ? looksUp(fields(layer).layer as Layer)
    : LOOKUPS.has(layer.getClassName());
const apart = (layer: Layer, input: number, dtype: DataType): string | undefined => {
  if (looksUp(layer)) return "integers: positions in a table";
  if (dtype === "bool") return "a mask";
  if (dtype !== "float32") return `${dtype} values`;
  const { operands } = layer as { readonly operands?: readonly string[] };
  if (/mask$/i.test(operands?.[input] ?? "")) return "a mask";
  const factor = !(layer instanceof Operation) || layer.computesWith(input);
  return factor ? undefined : "a condition, or positions";
};

/** The calls of a plan with names, sizes and operation counts; dimensions left open count as `open`. */
export function callsOf(plan: Plan, reads: ReadonlyMap<string, readonly Read[]>, open: number): Calls {
  const shapes = plan.slots.map(({ shape, entries }) => [
    ...(entries > 1 ? [entries] : []),
    ...shape.slice(1).map((n) => (n === null || n < 0 ? open : n)),
  ]);
  const shapeAt = (slot: number): readonly number[] => shapes[slot]!;
  const tensors: { elements: number; producer: number; output: boolean; modelInput: boolean }[] = [];
  const tensorAt = new Map<number, number>();
  const make = (slot: number, producer: number, modelInput: boolean): number => {
    const position = tensors.push({ elements: size(shapeAt(slot)), producer, output: false, modelInput }) - 1;
    tensorAt.set(slot, position);
    return position;
  };
  for (const slot of plan.inputs) make(slot, -1, true);

  const calls: LayerCall[] = [];
  const edges: Edge[] = [];
  const inner: CallInnerEdge[] = [];
  const times = new Map<string, number>();
  const counters = new Map<string, number>();
  const nameEdge = (layer: string): string => {
    const n = counters.get(layer) ?? 0;
    counters.set(layer, n + 1);
    return n === 0 ? `${layer}/input` : `${layer}/input:${n}`;
  };
  const record = (call: Call): void => {
    const { layer, path, inputs, outputs } = call;
    const own = inputs.map((slot, i) =>
      Object.freeze({
        id: nameEdge(path),
        layer: path,
        shape: shapeAt(slot),
        tensor: tensorAt.get(slot)!,
        call: calls.length,
        apart: apart(layer, i, plan.slots[slot]!.dtype),
      }),
    );
    const time = times.get(path) ?? 0;
    times.set(path, time + 1);
    const within = innerEdges(layer, inputs.map(shapeAt)).map((held) =>
      Object.freeze({
        id: time === 0 ? `${path}/${held.name}` : `${path}/${held.name}:${time}`,
        layer: path,
        shape: held.steps > 1 ? [held.steps, ...held.shape] : held.shape,
        call: calls.length,
        held,
      }),
    );
    const className = layer.getClassName();
    const read = reads.get(path)!;
    const observed = probe(call, plan.slots, read, open);
    const local =
      // What such a layer says itself of the inside is more than what is seen there.
      observed?.products.filter(({ weight }) => weight !== INSIDE || within.length === 0) ??
      products({
        layer,
        weights: read.map(({ name, variable: { shape, holder } }) => ({ name, shape, holder })),
        inputs: inputs.map(shapeAt),
        whole: inputs.map((slot) => {
          const { shape, entries } = plan.slots[slot]!;
          return shape.map((n, axis) => n ?? (axis === 0 ? entries : open));
        }),
        outputs: outputs.map(shapeAt),
      });
    const entered = own.every((edge) => tensors[edge.tensor]!.modelInput);
    // An image smaller than its crop is stretched, by CenterCrop too.
    const longer = shapeAt(outputs[0]!).some((n, axis) => n > (own[0]?.shape[axis] ?? n));
    const stretched = className === "CenterCrop" && longer;
    const moved = entered && moves(layer) && !stretched;
    edges.push(...own);
    inner.push(...within);
    const variable = (name: string): string | undefined =>
      read.find((known) => known.name === name)?.variable.name;
    const factor = (name: string): string =>
      within.find(({ held }) => held.name === name)?.id ?? variable(name) ?? `${path}/${name}`;
    const met = within.flatMap(({ id, held }) =>
      held.meets.map(({ factor: name, macs }) => ({
        weight: factor(name),
        input: id,
        macs: macs * held.steps,
      })),
    );
    const covered = new Set(met.map(({ weight }) => weight));
    calls.push({
      layer: path,
      className,
      streams: streams(layer),
      inputs: own.map((edge) => edge.id),
      outputs: outputs.map((slot) => make(slot, calls.length, moved)),
      products: [
        ...local
          .map(({ weight, input, macs }) => ({
            weight: typeof weight === "number" ? own[weight]!.id : (variable(weight) ?? `${path}/${weight}`),
            ...(input !== undefined && { input: own[input]!.id }),
            macs,
          }))
          .filter(({ weight, input }) => input !== undefined || !covered.has(weight)),
        ...met,
      ],
      ...(observed && { observed }),
    });
  };
  for (const step of plan.steps) {
    if (step.kind === "call") record(step);
    else tensorAt.set(step.to, tensorAt.get(step.from)!);
  }
  for (const slot of plan.outputs) tensors[tensorAt.get(slot)!]!.output = true;
  return { calls, edges, inner, tensors };
}
