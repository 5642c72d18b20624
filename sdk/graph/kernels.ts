import type * as tf from "@tensorflow/tfjs";
import { size } from "./macs.js";

/** A kernel of tfjs as it is run. */
export interface Kernel {
  readonly name: string;
  readonly inputs: Readonly<Record<string, tf.Tensor | undefined>>;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly outputs: readonly tf.Tensor[];
}

/** The two tensors that a kernel multiplies and adds up, and how many products that takes. */
export interface KernelProduct {
  readonly factors: readonly [tf.Tensor, tf.Tensor];
  readonly macs: number;
}

type Count = (kernel: Kernel) => KernelProduct | undefined;

/** Counts by the shapes of the named inputs and of the output. */
const of =
  (x: string, w: string, macs: (x: number[], w: number[], y: number[], kernel: Kernel) => number): Count =>
  (kernel) => {
    const factors = [kernel.inputs[x]!, kernel.inputs[w]!] as const;
    return { factors, macs: macs(factors[0].shape, factors[1].shape, kernel.outputs[0]!.shape, kernel) };
  };

const matrix = of("a", "b", (a, _, y, { attributes }) => size(y) * a.at(attributes.transposeA ? -2 : -1)!);
const convolution = (x: string): Count =>
  of(x, "filter", (_, filter, y) => (size(y) / filter.at(-1)!) * size(filter));
const depthwise = of("x", "filter", (_, filter, y) => size(y) * filter[0]! * filter[1]!);
const transposed = of("dy", "filter", (dy, filter) => (size(dy) / filter.at(-1)!) * size(filter));

/** One product per combination of all letters of the equation. */
const einsum: Count = ({ inputs, attributes }) => {
  const [a, b, ...more] = Object.values(inputs);
  if (!a || !b || more.length > 0) return undefined;
  const terms = String(attributes.equation).replaceAll(" ", "").split("->")[0]!.split(",");
  const sizes = new Map<string, number>();
  [a, b].forEach((tensor, i) => {
    for (const [axis, letter] of [...terms[i]!].entries()) sizes.set(letter, tensor.shape[axis]!);
  });
  return { factors: [a, b], macs: size([...sizes.values()]) };
};

const COUNTS: Readonly<Record<string, Count>> = {
  MatMul: matrix,
  BatchMatMul: matrix,
  _FusedMatMul: matrix,
  Conv2D: convolution("x"),
  FusedConv2D: convolution("x"),
  Conv3D: convolution("x"),
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2D: depthwise,
  Conv2DBackpropInput: transposed,
  Conv3DBackpropInputV2: transposed,
  Einsum: einsum,
};

/** The multiply-accumulates of one kernel; absent for kernels that multiply no two tensors in this way. */
export function productOf(kernel: Kernel): KernelProduct | undefined {
  return COUNTS[kernel.name]?.(kernel);
}
