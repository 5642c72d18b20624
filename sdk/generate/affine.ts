import { channelAxes } from "../graph/channels.js";
import type { Leaf } from "../model/bypass.js";
import { type Config, isConfig } from "../model/config.js";

/** How an affine layer, kernel * x + bias, lays its output channels out. Axes are counted from the last, -1. */
export interface Affine {
  /** The weight whose values are factors of one output channel each. */
  readonly kernel: string;
  /** The axes of `kernel` that number the output channels together. */
  readonly axes: readonly number[];
  /** The axis of the bias that does; axes of the bias are the last of the output, or there is this one alone. */
  readonly bias: number;
  /** The options with which the layer has such a bias. */
  readonly biased: Config;
}

/** The weight of each class that is the kernel of such a layer; its axes are those of `channelAxes`. */
const KERNELS: Readonly<Record<string, string>> = {
  Dense: "kernel",
  Conv1D: "kernel",
  Conv2D: "kernel",
  Conv3D: "kernel",
  Conv1DTranspose: "kernel",
  Conv2DTranspose: "kernel",
  Conv3DTranspose: "kernel",
  DepthwiseConv1D: "depthwise_kernel",
  DepthwiseConv2D: "depthwise_kernel",
  SeparableConv1D: "pointwise_kernel",
  SeparableConv2D: "pointwise_kernel",
};

/**
 * How `leaf` lays out the channels that `axis` numbers in its output of `rank` dimensions, batch first; or why it is no
 * affine layer of these channels.
 */
export function affine(name: string, leaf: Leaf, rank: number, axis: number): Affine | string {
  const { className, config } = leaf;
  const given = config.activation ?? "linear";
  const activation = isConfig(given) ? String(given.class_name ?? given.name) : String(given);
  const between = `activation ${activation} of "${name}" stands between`;
  const other = `it normalizes axis ${axis}, not the channels of "${name}"`;
  const fromLast = axis < 0 ? axis : axis - rank;
  if (className === "EinsumDense") {
    const found = einsum(config, fromLast) ?? other;
    return activation === "linear" ? found : between;
  }
  const kernel = KERNELS[className];
  if (kernel === undefined) return `it follows ${className} "${name}", which has no kernel to fold into`;
  if (activation !== "linear") return between;
  if (fromLast !== (config.data_format === "channels_first" ? 1 - rank : -1)) return other;
  return { kernel, axes: channelAxes(className, kernel)!, bias: -1, biased: { use_bias: true } };
}

/** EinsumDense along the label at `fromLast` of its result, when that is one of the kernel's and, if there is a bias, of the bias. */
function einsum(config: Config, fromLast: number): Affine | undefined {
  const [, kernel = "", result = ""] =
    /,(\w*)->([\w.]*)$/.exec(text(config.equation).replace(/\s/g, "")) ?? [];
  const label = result.at(fromLast) ?? "";
  const axes = text(config.bias_axes) || label;
  if (!/\w/.test(label) || !kernel.includes(label) || !axes.includes(label)) return undefined;
  return {
    kernel: "kernel",
    axes: [kernel.indexOf(label) - kernel.length],
    bias: fromLast,
    biased: { bias_axes: { name: axes } },
  };
}

/** A text that tfjs must not change stands as `{ name }`. */
const text = (value: unknown): string => String(isConfig(value) ? value.name : (value ?? ""));

/** Whether the layer is a batch normalization, has one inside, or is an operation that computes one. */
export function normalizes({ className, config }: Leaf): boolean {
  const holds = (value: unknown): boolean => {
    if (Array.isArray(value)) return value.some(holds);
    if (!isConfig(value)) return false;
    return value.class_name === NORMALIZATION || Object.values(value).some(holds);
  };
  const operation = className === "Operation" && text(config.function) === "batchNorm";
  return className === NORMALIZATION || operation || holds(config);
}

/** Keras's name of the one layer that can be folded. */
export const NORMALIZATION = "BatchNormalization";
