import * as tf from "@tensorflow/tfjs";
import { everyNth, margins, padded, places, spread, type Window } from "./spatial.js";

/**
 * Convolutions in forms that have gradients on every backend, channels last. TensorFlow's processor kernels have none for
 * dilations or groups, nor forward ones for a dilated depthwise convolution.
 */

/** Channels that one convolution takes of a grouped one: narrower ones waste the vector units, wider ones multiply zeros. */
const CHANNELS_AT_ONCE = 32;

const plain = (window: Window): boolean => window.dilations.every((d) => d === 1);
const without = (window: Window): Window => ({
  ...window,
  dilations: window.dilations.map(() => 1),
  padding: "valid",
});
const mode = ({ padding }: Window): "same" | "valid" => (padding === "same" ? "same" : "valid");

/** A dimension of length 1 before the others; `strides` there. */
const lifted = (window: Window, stride: number): Window => ({
  size: [1, ...window.size],
  strides: [stride, ...window.strides],
  dilations: [1, ...window.dilations],
  padding: window.padding,
});

/** `x` with the zeros of causal padding, or as it is. */
function causal(x: tf.Tensor, window: Window): { x: tf.Tensor; window: Window } {
  if (window.padding !== "causal") return { x, window };
  return { x: padded(x, [margins(x.shape[1]!, window, 0)]), window: { ...window, padding: "valid" } };
}

/**
 * A dilated window moves over every d-th position: each such lattice becomes a batch of its own, on which the window is not
 * dilated. Strides are 1 there.
 */
function overLattices(
  x: tf.Tensor,
  window: Window,
  compute: (x: tf.Tensor, window: Window) => tf.Tensor,
): tf.Tensor {
  const lengths = x.shape.slice(1, -1);
  const around = lengths.map((n, i) => margins(n, window, i));
  const missing = lengths.map((n, i) => {
    const d = window.dilations[i]!;
    return (d - ((n + around[i]![0] + around[i]![1]) % d)) % d;
  });
  const blocks = tf.spaceToBatchND(
    x,
    [...window.dilations],
    around.map(([before, after], i) => [before, after + missing[i]!]),
  );
  const y = compute(blocks, without(window));
  return tf.batchToSpaceND(
    y,
    [...window.dilations],
    missing.map((n) => [0, n]),
  );
}

/**
 * @param x [batch, ...spatial, channels], one to three spatial dimensions
 * @param kernel [...size, channels / groups, filters]
 */
export function convolve(x: tf.Tensor, kernel: tf.Tensor, given: Window, groups = 1): tf.Tensor {
  const { x: input, window } = causal(x, given);
  if (kernel.rank === 3) {
    const y = convolve(tf.expandDims(input, 1), tf.expandDims(kernel, 0), lifted(window, 1), groups);
    return tf.squeeze(y, [1]);
  }
  if (!plain(window)) {
    return overLattices(input, window, (blocks, inner) => convolve(blocks, kernel, inner, groups));
  }
  if (groups > 1) return grouped(input, kernel, window, groups);
  if (kernel.rank === 5) {
    const strides = [...window.strides] as [number, number, number];
    return tf.conv3d(input as tf.Tensor5D, kernel as tf.Tensor5D, strides, mode(window));
  }
  const strides = [...window.strides] as [number, number];
  return tf.conv2d(input as tf.Tensor4D, kernel as tf.Tensor4D, strides, mode(window));
}

/** Some groups at a time, whose kernels stand on the diagonal of one. */
function grouped(x: tf.Tensor, kernel: tf.Tensor, window: Window, groups: number): tf.Tensor {
  const size = kernel.shape.slice(0, -2);
  const [channels, filters] = kernel.shape.slice(-2) as [number, number];
  const each = filters / groups;
  if (channels === 1 && kernel.rank === 4) {
    return depthwise(x, tf.reshape(kernel, [...size, groups, each]), window);
  }
  const together = Math.max(1, Math.floor(CHANNELS_AT_ONCE / channels));
  const parts: tf.Tensor[] = [];
  for (let first = 0; first < groups; first += together) {
    const count = Math.min(together, groups - first);
    const own = tf.slice(
      kernel,
      kernel.shape.map((_, i) => (i === kernel.rank - 1 ? first * each : 0)),
      [...size, channels, count * each],
    );
    const input = tf.slice(
      x,
      x.shape.map((_, i) => (i === x.rank - 1 ? first * channels : 0)),
      [...x.shape.slice(0, -1), count * channels],
    );
    parts.push(convolve(input, diagonal(own, count), window));
  }
  return parts.length === 1 ? parts[0]! : tf.concat(parts, -1);
}

/** [...size, channels, count x filters] to [...size, count x channels, count x filters], zero off the diagonal. */
function diagonal(kernel: tf.Tensor, count: number): tf.Tensor {
  if (count === 1) return kernel;
  const size = kernel.shape.slice(0, -2);
  const [channels, filters] = kernel.shape.slice(-2) as [number, number];
  const positions = size.reduce((a, b) => a * b, 1);
  const parted = tf.reshape(kernel, [positions, 1, channels, count, filters / count]);
  const ones = tf.reshape(tf.eye(count), [1, count, 1, count, 1]);
  return tf.reshape(tf.mul(parted, ones), [...size, count * channels, filters]);
}

/** @param kernel [...size, channels, multiplier], one or two spatial dimensions */
export function depthwise(x: tf.Tensor, kernel: tf.Tensor, given: Window): tf.Tensor {
  const { x: input, window } = causal(x, given);
  if (kernel.rank === 3) {
    const raised = lifted(window, window.strides[0]!);
    return tf.squeeze(depthwise(tf.expandDims(input, 1), tf.expandDims(kernel, 0), raised), [1]);
  }
  if (!plain(window)) {
    return overLattices(input, window, (blocks, inner) => depthwise(blocks, kernel, inner));
  }
  const [vertical, horizontal] = window.strides as [number, number];
  const run = (t: tf.Tensor, stride: number, pad: "same" | "valid"): tf.Tensor =>
    tf.depthwiseConv2d(t as tf.Tensor4D, kernel as tf.Tensor4D, stride, pad);
  if (vertical === horizontal) return run(input, vertical, mode(window));
  // TensorFlow has equal strides alone.
  const around = input.shape.slice(1, -1).map((n, i) => margins(n, window, i));
  const dense = run(padded(input, around), 1, "valid");
  return everyNth(everyNth(dense, 1, vertical), 2, horizontal);
}

/**
 * The transpose of the convolution that takes [batch, ...lengths, filters] to the shape of `x`.
 *
 * @param kernel [...size, filters, channels]
 * @param lengths of the output's spatial dimensions
 */
export function transposed(
  x: tf.Tensor,
  kernel: tf.Tensor,
  window: Window,
  lengths: readonly number[],
): tf.Tensor {
  if (kernel.rank === 3) {
    const raised = lifted(window, 1);
    const y = transposed(tf.expandDims(x, 1), tf.expandDims(kernel, 0), raised, [1, ...lengths]);
    return tf.squeeze(y, [1]);
  }
  const filters = kernel.shape.at(-2)!;
  const wide = window.dilations.reduce((k, d, i) => spread(k, i, d), kernel);
  if (kernel.rank === 4) {
    const shape = [x.shape[0]!, ...lengths, filters] as [number, number, number, number];
    const strides = [...window.strides] as [number, number];
    return tf.conv2dTranspose(x as tf.Tensor4D, wide as tf.Tensor4D, shape, strides, mode(window));
  }
  // tfjs has no gradient of its three-dimensional one: zeros between the inputs, then a turned kernel.
  const size = wide.shape.slice(0, 3);
  const straight: Window = { ...without(window), size, strides: [1, 1, 1] };
  const apart = window.strides.reduce((t, stride, i) => spread(t, i + 1, stride), x);
  const around = lengths.map((n, i): [number, number] => {
    const [cut] = margins(n, { ...window, size, dilations: [1, 1, 1] }, i);
    const before = size[i]! - 1 - cut;
    return [before, n - apart.shape[i + 1]! - before + size[i]! - 1];
  });
  const turned = tf.transpose(tf.reverse(wide, [0, 1, 2]), [0, 1, 2, 4, 3]);
  return convolve(padded(apart, around), turned, straight);
}

/** Lengths of the spatial dimensions of a transposed convolution's output. */
export function transposedLength(
  n: number | null,
  window: Window,
  i: number,
  outputPadding: number | null,
): number | null {
  if (n === null) return null;
  const stride = window.strides[i]!;
  const reach = (window.size[i]! - 1) * window.dilations[i]! + 1;
  if (window.padding === "valid") {
    return (n - 1) * stride + reach + (outputPadding ?? Math.max(stride - reach, 0));
  }
  return outputPadding === null ? n * stride : (n - 1) * stride + (reach % 2) + outputPadding;
}

/** The places of the window along every spatial dimension. */
export function placesOf(lengths: readonly (number | null)[], window: Window): (number | null)[] {
  return lengths.map((n, i) => places(n, window, i));
}
