import type * as tf from "@tensorflow/tfjs";
import type { Operation } from "../model/operations/operation.js";
import type { Holder } from "./holders.js";
import { fields, isContainer, type Layer, variablesOf } from "./layers.js";
import { planOf } from "./plan.js";

/** Multiply-accumulates of one layer call in which two factors meet. */
export interface LocalProduct {
  /** The name of a weight inside its layer, the position of an input that meets another, or any name of neither. */
  readonly weight: string | number;
  /** Position of the input; absent where the other factor never leaves the layer, such as a recurrent state. */
  readonly input?: number;
  readonly macs: number;
}

/** What is known of a layer call without running it. Shapes without the batch dimension. */
export interface CallShapes {
  readonly layer: Layer;
  readonly weights: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly holder: Holder;
  }[];
  readonly inputs: readonly (readonly number[])[];
  /** The inputs' shapes with all dimensions: a batch of 1, where there is one. */
  readonly whole: readonly (readonly number[])[];
  readonly outputs: readonly (readonly number[])[];
}

type Count = (call: CallShapes) => LocalProduct[];

export const size = (shape: readonly number[]): number => shape.reduce((product, n) => product * n, 1);

const last = (shape: readonly number[]): number => shape.at(-1) ?? 1;
const segment = (name: string): string => name.slice(name.lastIndexOf("/") + 1);
const weight = (call: CallShapes, name: string) => call.weights.find((w) => segment(w.name) === name);

/** One kernel that meets the first input. `macs` receives the kernel's shape. */
const single =
  (name: string, macs: (kernel: readonly number[], call: CallShapes) => number): Count =>
  (call) => {
    const kernel = weight(call, name);
    return kernel ? [{ weight: kernel.name, input: 0, macs: macs(kernel.shape, call) }] : [];
  };

const dense = single("kernel", ([channels], { outputs }) => size(outputs[0]!) * channels!);
const convolution = single(
  "kernel",
  (kernel, { outputs }) => (size(outputs[0]!) / last(kernel)) * size(kernel),
);
const transposed = single("kernel", (kernel, { inputs }) => (size(inputs[0]!) / last(kernel)) * size(kernel));
const depthwise = single(
  "depthwise_kernel",
  (kernel, { outputs }) => size(outputs[0]!) * size(kernel.slice(0, -2)),
);

const separable: Count = (call) => {
  const point = weight(call, "pointwise_kernel");
  const depth = weight(call, "depthwise_kernel");
  if (!point || !depth) return [];
  const positions = size(call.outputs[0]!) / last(point.shape);
  return [
    { weight: depth.name, input: 0, macs: positions * size(depth.shape) },
    { weight: point.name, macs: positions * size(point.shape) },
  ];
};

const KERNELS = new Set(["kernel", "recurrent_kernel"]);

/** Every matrix once per time step; the first cell's `kernel` meets the input, the others meet states. */
const recurrent: Count = ({ weights, inputs }) =>
  weights
    .filter((w) => KERNELS.has(segment(w.name)))
    .map((w) => ({
      weight: w.name,
      ...(segment(w.name) === "kernel" && !/RNNCell_[1-9]/.test(w.name) && { input: 0 }),
      macs: inputs[0]![0]! * size(w.shape),
    }));

const convolutionalRecurrent: Count = ({ layer, weights, inputs }) => {
  const { cell, returnSequences } = fields<{ cell: { filters: number }; returnSequences: boolean }>(layer);
  const steps = inputs[0]![0]!;
  const shapes = layer.computeOutputShape([1, ...inputs[0]!]) as number[] | number[][];
  const output = Array.isArray(shapes[0]) ? shapes[0] : (shapes as number[]);
  const positions = size(output) / cell.filters / (returnSequences ? steps : 1);
  return weights
    .filter((w) => w.shape.length > 2)
    .map((w) => ({
      weight: w.name,
      ...(segment(w.name) === "kernel" && { input: 0 }),
      macs: steps * positions * size(w.shape),
    }));
};

const bidirectional: Count = (call) => {
  const { forwardLayer, backwardLayer } = fields<{ forwardLayer: Layer; backwardLayer: Layer }>(call.layer);
  return [forwardLayer, backwardLayer].flatMap((layer) => {
    const weights = call.weights.filter(({ name }) => name.startsWith(`${layer.name}/`));
    return products({ ...call, layer, weights });
  });
};

/** Each label of both factors, as often as its dimension is long. */
const einsum: Count = ({ layer, weights, inputs }) => {
  const { equation } = fields<{ equation?: { left: string; right: string } }>(layer);
  const kernel = weights.find(({ name }) => name === "kernel");
  if (!equation || !kernel) return [];
  const sizes = new Map([
    ...[...equation.left.slice(1)].map((label, i) => [label, inputs[0]![i]!] as const),
    ...[...equation.right].map((label, i) => [label, kernel.shape[i]!] as const),
  ]);
  return [{ weight: "kernel", input: 0, macs: size([...sizes.values()]) }];
};

/** The projections of what enters; the products inside are inner edges. */
const headAttention: Count = ({ layer, weights, inputs }) => {
  const { operands } = fields<{ operands: readonly string[] }>(layer);
  const at = (name: string): number => operands.slice(0, inputs.length).indexOf(name);
  return ["query", "key", "value", "gate"].flatMap((part) => {
    const kernel = weights.find(({ name }) => name === `${part}/kernel`);
    const own = part === "gate" ? at("query") : at(part);
    const input = own < 0 ? at("value") : own;
    const positions = size(inputs[input]!) / last(inputs[input]!);
    return kernel ? [{ weight: kernel.name, input, macs: positions * size(kernel.shape) }] : [];
  });
};

const timeDistributed: Count = (call) => {
  const layer = fields(call.layer).layer as Layer;
  const steps = call.inputs[0]![0]!;
  const [input, output] = [call.inputs[0]!.slice(1), call.outputs[0]!.slice(1)];
  const inner = { ...call, layer, inputs: [input], whole: [[1, ...input]], outputs: [output] };
  return products(inner).map((product) => ({ ...product, macs: steps * product.macs }));
};

const operation: Count = ({ layer, whole }) => [...(layer as Operation).products(whole)];
/** A model inside a wrapper: the calls that it makes. Dimensions that it leaves open itself count 1. */
const contained = (call: CallShapes, model: tf.LayersModel): LocalProduct[] => {
  const plan = planOf(model);
  const crossed = new Map(
    plan.steps.flatMap((step) => (step.kind === "crossing" ? [[step.to, step.from]] : [])),
  );
  const shapes = (slots: readonly number[]): number[][] =>
    slots.map((slot) => plan.slots[slot]!.shape.slice(1).map((n) => n ?? 1));
  return plan.steps.flatMap((step) => {
    if (step.kind === "crossing") return [];
    const held = new Set<unknown>(variablesOf(step.layer));
    const weights = call.weights.filter(({ holder }) => held.has(holder));
    const own = products({
      layer: step.layer,
      weights,
      inputs: shapes(step.inputs),
      whole: step.inputs.map((slot) => plan.slots[slot]!.shape.map((n) => n ?? 1)),
      outputs: shapes(step.outputs),
    });
    return own.map(({ input, ...product }) => {
      const at = input === undefined ? -1 : plan.inputs.indexOf(crossed.get(step.inputs[input]!) ?? -1);
      return at < 0 ? product : { ...product, input: at };
    });
  });
};

/** Two inputs that meet on one axis of each; axes count the batch, from the front or from the end. */
const dot: Count = ({ layer, inputs }) => {
  const [axis] = [fields<{ axes: number | number[] }>(layer).axes].flat();
  const [first, second] = inputs;
  const shared = first!.at(axis! < 0 ? axis! : axis! - 1)!;
  return [{ weight: 1, input: 0, macs: (size(first!) * size(second!)) / shared }];
};

const COUNTS: Readonly<Record<string, Count>> = {
  Dense: dense,
  Conv1D: convolution,
  Conv2D: convolution,
  Conv3D: convolution,
  Conv1DTranspose: transposed,
  Conv2DTranspose: transposed,
  Conv3DTranspose: transposed,
  DepthwiseConv1D: depthwise,
  DepthwiseConv2D: depthwise,
  SeparableConv1D: separable,
  SeparableConv2D: separable,
  SpectralNormalization: (call) => products({ ...call, layer: fields(call.layer).layer as Layer }),
  SimpleRNN: recurrent,
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  Bidirectional: bidirectional,
  EinsumDense: einsum,
  MultiHeadAttention: headAttention,
  GroupedQueryAttention: headAttention,
  ConvLSTM1D: convolutionalRecurrent,
  ConvLSTM2D: convolutionalRecurrent,
  ConvLSTM3D: convolutionalRecurrent,
  TimeDistributed: timeDistributed,
  Dot: dot,
  Operation: operation,
};

/**
 * Multiply-accumulates per sample of one layer call, split by the weight that takes part. Classes that are not in the table
 * (embeddings, normalizations, activations, unknown layers) count none.
 */
export function products(call: CallShapes): LocalProduct[] {
  if (isContainer(call.layer)) return contained(call, call.layer);
  return COUNTS[call.layer.getClassName()]?.(call) ?? [];
}
