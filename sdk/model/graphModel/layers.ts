import type * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import type { HostArray } from "../operations/arguments.js";
import type { GraphNode } from "./nodes.js";

/** A layer to be made for a node: its class with options, its weights by name, and what follows it. */
export interface LayerPlan {
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: Readonly<Record<string, HostArray>>;
  /** Zeros around the image, where the node pads by itself. */
  readonly padding?: readonly [readonly [number, number], readonly [number, number]];
  /** An operation on the layer's result that its class has no option for. */
  readonly then?: {
    readonly op: string;
    readonly inputs: readonly HostArray[];
    readonly attributes: Readonly<Record<string, unknown>>;
  };
}

/** What a node reads: a tensor of the model, or values that are known. */
export type Source = tf.SymbolicTensor | HostArray;

const isValues = (source: Source | undefined): source is HostArray =>
  source !== undefined && "values" in source;

type Planner = (node: GraphNode, sources: readonly Source[], where: string) => LayerPlan | undefined;

/** Activations that layers of weights have as an option. */
const ACTIVATIONS: Readonly<Record<string, string>> = {
  Relu: "relu",
  Relu6: "relu6",
  Elu: "elu",
  Sigmoid: "sigmoid",
  Tanh: "tanh",
};

/** Two spatial numbers of four, channels last. */
const inner = (node: GraphNode, name: string): [number, number] => {
  const list = (node.attributes[name] ?? [1, 1, 1, 1]) as readonly number[];
  return [list[1] ?? 1, list[2] ?? 1];
};

function checkFormat(node: GraphNode, where: string): void {
  const format = node.attributes.data_format ?? "NHWC";
  if (format === "NHWC") return;
  throw badModel("channels last", String(format), where, "Export the model with data_format channels_last.");
}

/** padding: a word, or zeros of the node's own before a window that is placed without any. */
function padded(node: GraphNode): Pick<LayerPlan, "padding"> & { readonly word: string } {
  const word = String(node.attributes.padding ?? "VALID").toLowerCase();
  if (word !== "explicit") return { word };
  const [, , top, bottom, left, right] = node.attributes.explicit_paddings as readonly number[];
  return {
    word: "valid",
    padding: [
      [top!, bottom!],
      [left!, right!],
    ],
  };
}

/** What fused nodes do after the product: a bias, then an activation. */
function fused(node: GraphNode, extra: readonly Source[], where: string) {
  const steps = (node.attributes.fused_ops ?? []) as readonly string[];
  const rest = [...extra];
  let bias: HostArray | undefined;
  let activation = "linear";
  let then: LayerPlan["then"];
  for (const [i, step] of steps.entries()) {
    const next = step === "BiasAdd" || step === "Prelu" ? rest.shift() : undefined;
    if (step === "BiasAdd" && i === 0 && isValues(next)) bias = next;
    else if (Object.hasOwn(ACTIVATIONS, step) && i === steps.length - 1) activation = ACTIVATIONS[step]!;
    else if (step === "LeakyRelu")
      then = { op: step, inputs: [], attributes: { alpha: node.attributes.leakyrelu_alpha ?? 0.2 } };
    else if (step === "Prelu" && isValues(next)) then = { op: step, inputs: [next], attributes: {} };
    else
      throw badModel(
        "a bias and one activation",
        steps.join(", "),
        where,
        "Convert the model with another version of the converter.",
      );
  }
  return { bias, activation, then };
}

/** A layer of a kernel: what all of them share. */
function product(
  node: GraphNode,
  where: string,
  className: string,
  kernel: { readonly name: string; readonly values: HostArray },
  extra: readonly Source[],
  options: Readonly<Record<string, unknown>>,
  padding?: LayerPlan["padding"],
): LayerPlan {
  const { bias, activation, then } = fused(node, extra, where);
  return {
    className,
    config: { ...options, useBias: bias !== undefined, activation },
    weights: { [kernel.name]: kernel.values, ...(bias && { bias }) },
    ...(padding && { padding }),
    ...(then && { then }),
  };
}

const convolution: Planner = (node, [x, kernel, ...extra], where) => {
  if (!x || isValues(x) || !isValues(kernel)) return undefined;
  checkFormat(node, where);
  const [height, width, channels, filters] = kernel.shape as [number, number, number, number];
  const { word, padding } = padded(node);
  const options = {
    filters,
    kernelSize: [height, width],
    strides: inner(node, "strides"),
    dilationRate: inner(node, "dilations"),
    padding: word,
    groups: x.shape.at(-1)! / channels,
    kernelInitializer: "zeros",
  };
  return product(node, where, "Conv2D", { name: "kernel", values: kernel }, extra, options, padding);
};

const depthwise: Planner = (node, [x, kernel, ...extra], where) => {
  if (!x || isValues(x) || !isValues(kernel)) return undefined;
  checkFormat(node, where);
  const [height, width, , depthMultiplier] = kernel.shape as [number, number, number, number];
  const { word, padding } = padded(node);
  const options = {
    kernelSize: [height, width],
    depthMultiplier,
    strides: inner(node, "strides"),
    dilationRate: inner(node, "dilations"),
    padding: word,
    depthwiseInitializer: "zeros",
  };
  return product(
    node,
    where,
    "DepthwiseConv2D",
    { name: "depthwise_kernel", values: kernel },
    extra,
    options,
    padding,
  );
};

/** x times a constant matrix. A transposed one is stored as it is multiplied. */
const dense: Planner = (node, [x, kernel, ...extra], where) => {
  const { transpose_a, transpose_b, adj_x, adj_y } = node.attributes;
  if (!x || isValues(x) || !isValues(kernel) || kernel.shape.length !== 2 || transpose_a || adj_x)
    return undefined;
  const values = transpose_b || adj_y ? transposed(kernel) : kernel;
  const options = { units: values.shape[1], kernelInitializer: "zeros" };
  return product(node, where, "Dense", { name: "kernel", values }, extra, options);
};

function transposed({ dtype, shape, values }: HostArray): HostArray {
  const [rows, columns] = shape as [number, number];
  const turned = Float32Array.from(
    { length: rows * columns },
    (_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!,
  );
  return { dtype, shape: [columns, rows], values: turned };
}

const normalization: Planner = (node, [x, ...vectors], where) => {
  if (!x || isValues(x) || vectors.length !== 4 || !vectors.every(isValues)) return undefined;
  if (node.attributes.is_training === true) return undefined;
  checkFormat(node, where);
  const [gamma, beta, moving_mean, moving_variance] = vectors as [HostArray, HostArray, HostArray, HostArray];
  const config = { axis: -1, epsilon: node.attributes.epsilon ?? 1e-4 };
  return { className: "BatchNormalization", config, weights: { gamma, beta, moving_mean, moving_variance } };
};

/** The gradient of a convolution by its input is a transposed convolution, where its size is the usual one. */
const transposedConvolution: Planner = (node, [size, kernel, x], where) => {
  if (!x || isValues(x) || !isValues(kernel) || !isValues(size)) return undefined;
  checkFormat(node, where);
  const [height, width, filters] = kernel.shape as [number, number, number];
  const [strides, dilations, { word, padding }] = [
    inner(node, "strides"),
    inner(node, "dilations"),
    padded(node),
  ];
  const usual = [height, width].map((k, i) => {
    const n = x.shape[i + 1];
    return n === null || n === undefined
      ? Number.NaN
      : word === "same"
        ? n * strides[i]!
        : n * strides[i]! + Math.max(k - strides[i]!, 0);
  });
  const plain =
    dilations.every((n) => n === 1) && !padding && usual.every((n, i) => n === size.values[i + 1]);
  if (!plain) return undefined;
  const options = {
    filters,
    kernelSize: [height, width],
    strides,
    padding: word,
    kernelInitializer: "zeros",
  };
  return product(node, where, "Conv2DTranspose", { name: "kernel", values: kernel }, [], options);
};

const activation =
  (name: string): Planner =>
  (_, [x]) =>
    !x || isValues(x) ? undefined : { className: "Activation", config: { activation: name }, weights: {} };

/** Nodes that are exactly one layer when what they read allows it. Everything else is an operation. */
export const PLANNERS: ReadonlyMap<string, Planner> = new Map(
  Object.entries({
    Conv2D: convolution,
    _FusedConv2D: convolution,
    DepthwiseConv2dNative: depthwise,
    FusedDepthwiseConv2dNative: depthwise,
    MatMul: dense,
    _FusedMatMul: dense,
    BatchMatMul: dense,
    BatchMatMulV2: dense,
    FusedBatchNorm: normalization,
    FusedBatchNormV2: normalization,
    FusedBatchNormV3: normalization,
    Conv2DBackpropInput: transposedConvolution,
    Relu: activation("relu"),
    Relu6: activation("relu6"),
    Softmax: activation("softmax"),
  }),
);

/** The first input of each of these is what they move along unchanged. */
export const PASSED = new Set([
  "Identity",
  "IdentityN",
  "StopGradient",
  "PreventGradient",
  "CheckNumerics",
  "Snapshot",
  "EnsureShape",
]);
