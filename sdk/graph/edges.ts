import { AutoqnnError } from "../errors.js";
import { bitsOf } from "../staircase/schemes.js";
import type { GraphOptions, LeftAlone, Pin, QuantizingNode } from "./graph.js";
import { variablesOf } from "./layers.js";
import { products, size } from "./macs.js";
import { select } from "./names.js";
import type { Call, Plan } from "./plan.js";
import type { HeldVariable } from "./variables.js";

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
}

/** Multiply-accumulates per sample of a call in which a variable meets an edge, or (absent) a tensor inside the layer. */
export interface Product {
  readonly weight: string;
  readonly input?: string;
  readonly macs: number;
}

export interface LayerCall {
  readonly layer: string;
  readonly className: string;
  /** Ids of its input edges. */
  readonly inputs: readonly string[];
  /** Positions in `tensors`. */
  readonly outputs: readonly number[];
  readonly products: readonly Product[];
}

/** Layers that only move values about, or rescale all of them alike. */
const MOVES = new Set([
  "Flatten",
  "Reshape",
  "Permute",
  "RepeatVector",
  "Cropping2D",
  "ZeroPadding2D",
  "CenterCrop",
  "Rescaling",
]);

/** Classes whose inputs are positions in a table. */
const LOOKUPS = new Set(["Embedding"]);

export interface Edges {
  readonly nodes: readonly QuantizingNode[];
  readonly leftAlone: readonly LeftAlone[];
  readonly calls: readonly LayerCall[];
  readonly edges: readonly Edge[];
  readonly tensors: readonly GraphTensor[];
}

/** Follows the plan on shapes alone and decides for each weight and each input of a call whether it is a node. */
export function edgesOf(plan: Plan, variables: readonly HeldVariable[], options: GraphOptions): Edges {
  const { calls, edges, tensors } = trace(plan, variables, options.openDimension ?? 1);
  const names = [...variables.map((v) => v.name), ...edges.map((e) => e.id)];
  const excluded = new Map(
    (options.exclude ?? []).flatMap((pattern) =>
      select("exclude", pattern, names).map((name) => [name, pattern]),
    ),
  );

  const ownReasons = (id: string): string | undefined =>
    excluded.has(id) ? `excluded by "${excluded.get(id)}"` : undefined;
  const weightReason = (v: HeldVariable): string | undefined => {
    if (v.dtype !== "float32") return `${v.dtype} values`;
    if (v.shape.length < (options.minimumRank ?? 2))
      return `rank ${v.shape.length}: ${v.short.split("/").at(-1)}`;
    if (!calls.some((call) => call.layer === v.layer)) return "its layer is not executed";
    return ownReasons(v.name);
  };
  const weightReasons = new Map(variables.map((v) => [v.name, weightReason(v)]));
  const owners = new Set(variables.filter((v) => !weightReasons.get(v.name)).map((v) => v.layer));
  const inputReason = (edge: Edge): string | undefined => {
    if (!owners.has(edge.layer)) return "its layer owns no quantized weight";
    if (LOOKUPS.has(calls[edge.call]!.className)) return "integers: positions in a table";
    if (tensors[edge.tensor]!.modelInput && !options.quantizeInput) return "model input: already 8-bit data";
    return ownReasons(edge.id);
  };

  const all = calls.flatMap((call) => call.products);
  const macs = (own: (product: Product) => boolean): number =>
    all.reduce((sum, product) => sum + (own(product) ? product.macs : 0), 0);
  const nodes: QuantizingNode[] = [];
  const leftAlone: LeftAlone[] = [];
  const layers = [...new Set([...calls.map((call) => call.layer), ...variables.map((v) => v.layer)])];
  for (const layer of layers) {
    for (const v of variables.filter((v) => v.layer === layer)) {
      const base = { id: v.name, kind: "weight" as const, layer, shape: v.shape };
      const reason = weightReasons.get(v.name);
      if (reason) leftAlone.push(Object.freeze({ ...base, reason }));
      else {
        const consumers = calls.filter((call) => call.layer === layer).length;
        const count = macs((product) => product.weight === v.name);
        nodes.push({ ...base, elements: size(v.shape), macs: count, consumers, variable: v.name });
      }
    }
    for (const edge of edges.filter((edge) => edge.layer === layer)) {
      const base = { id: edge.id, kind: "input" as const, layer, shape: edge.shape };
      const reason = inputReason(edge);
      if (reason) leftAlone.push(Object.freeze({ ...base, reason }));
      else {
        const count = macs((product) => product.input === edge.id);
        nodes.push({ ...base, elements: size(edge.shape), macs: count, consumers: 1 });
      }
    }
  }
  return { nodes: pinned(nodes, options), leftAlone, calls, edges, tensors };
}

function pinned(nodes: readonly QuantizingNode[], { pin = {} }: GraphOptions): QuantizingNode[] {
  const pins = new Map<string, Pin>();
  for (const [pattern, value] of Object.entries(pin)) {
    refuseUnknown(pattern, value);
    const ids = nodes.map((node) => node.id);
    for (const id of select("pin", pattern, ids)) pins.set(id, Object.freeze({ ...pins.get(id), ...value }));
  }
  return nodes.map((node) => {
    const value = pins.get(node.id);
    return Object.freeze(value ? { ...node, pin: value } : node);
  });
}

function refuseUnknown(pattern: string, { scheme, bits }: Pin): void {
  const [least, most] = (scheme && bitsOf(scheme, { signed: true, zero: false })) ?? [1, 8];
  if (bits === undefined || (Number.isInteger(bits) && bits >= least && bits <= most)) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected a whole number from ${least} to ${most} of bits in pin at "${pattern}", received ${bits}.`,
    scheme ? `Give another number, or another scheme than ${scheme}.` : "Give another number.",
  );
}

/** The calls of a plan with names, sizes and operation counts. */
function trace(
  plan: Plan,
  variables: readonly HeldVariable[],
  open: number,
): Pick<Edges, "calls" | "edges" | "tensors"> {
  const held = new Map(variables.map((v) => [v.holder, v]));
  const shapeAt = (slot: number): number[] =>
    plan.slots[slot]!.shape.slice(1).map((n) => (n === null || n < 0 ? open : n));
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
  const counters = new Map<string, number>();
  const nameEdge = (layer: string): string => {
    const n = counters.get(layer) ?? 0;
    counters.set(layer, n + 1);
    return n === 0 ? `${layer}/input` : `${layer}/input:${n}`;
  };
  const record = ({ layer, path, inputs, outputs }: Call): void => {
    const own = inputs.map((slot) =>
      Object.freeze({
        id: nameEdge(path),
        layer: path,
        shape: shapeAt(slot),
        tensor: tensorAt.get(slot)!,
        call: calls.length,
      }),
    );
    const className = layer.getClassName();
    const weights = variablesOf(layer).map((holder) => held.get(holder)!);
    const named = weights.map(({ short, shape }) => ({ name: short, shape }));
    const local = products({
      layer,
      weights: named,
      inputs: inputs.map(shapeAt),
      outputs: outputs.map(shapeAt),
    });
    const moved = MOVES.has(className) && own.every((edge) => tensors[edge.tensor]!.modelInput);
    edges.push(...own);
    calls.push({
      layer: path,
      className,
      inputs: own.map((edge) => edge.id),
      outputs: outputs.map((slot) => make(slot, calls.length, moved)),
      products: local.map(({ weight, input, macs }) => ({
        weight: weights.find((w) => w.short === weight)!.name,
        ...(input !== undefined && { input: own[input]!.id }),
        macs,
      })),
    });
  };
  for (const step of plan.steps) {
    if (step.kind === "call") record(step);
    else tensorAt.set(step.to, tensorAt.get(step.from)!);
  }
  for (const slot of plan.outputs) tensors[tensorAt.get(slot)!]!.output = true;
  return { calls, edges, tensors };
}
