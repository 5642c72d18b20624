import * as tf from "@tensorflow/tfjs";

export type Padding = "valid" | "same" | "causal";

/** A window that moves over the spatial dimensions: one number for each of them. */
export interface Window {
  readonly size: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly padding: Padding;
}

/** An option that files give as one number or as one for each dimension. */
export function listed(
  value: number | readonly number[] | null | undefined,
  rank: number,
  fallback = 1,
): number[] {
  const list = [value ?? fallback].flat();
  return list.length === 1 ? Array(rank).fill(list[0]) : list;
}

const reach = ({ size, dilations }: Window, i: number): number => (size[i]! - 1) * dilations[i]! + 1;

/** How many places a window has along dimension `i` of length `n`. */
export function places(n: number | null, window: Window, i: number): number | null {
  if (n === null) return null;
  const free = window.padding === "valid" ? n - reach(window, i) + 1 : n;
  return Math.ceil(free / window.strides[i]!);
}

/** Zeros before and after dimension `i` of length `n`, as TensorFlow adds them. */
export function margins(n: number, window: Window, i: number): [before: number, after: number] {
  if (window.padding === "valid") return [0, 0];
  if (window.padding === "causal") return [reach(window, i) - 1, 0];
  const all = Math.max((places(n, window, i)! - 1) * window.strides[i]! + reach(window, i) - n, 0);
  return [Math.floor(all / 2), all - Math.floor(all / 2)];
}

/** `x` [batch, ...spatial, channels] with margins around its spatial dimensions. */
export function padded(x: tf.Tensor, margin: readonly (readonly [number, number])[], value = 0): tf.Tensor {
  if (margin.every(([before, after]) => before === 0 && after === 0)) return x;
  return tf.pad(x, [[0, 0], ...margin.map(([a, b]) => [a, b] as [number, number]), [0, 0]], value);
}

/** Where the channels of a tensor [batch, ...] stand. */
export interface Layout {
  readonly first: boolean;
  spatial(shape: readonly (number | null)[]): (number | null)[];
  channels(shape: readonly (number | null)[]): number;
  shape(
    batch: number | null,
    spatial: readonly (number | null)[],
    channels: number | null,
  ): (number | null)[];
}

/** The layout that files call `data_format`; tfjs camelcases the word. */
export function layoutOf(dataFormat: string | null | undefined): Layout {
  const first = /first/i.test(dataFormat ?? "");
  return {
    first,
    spatial: (shape) => (first ? shape.slice(2) : shape.slice(1, -1)),
    channels: (shape) => (first ? shape[1] : shape.at(-1)) as number,
    shape: (batch, spatial, channels) =>
      first ? [batch, channels, ...spatial] : [batch, ...spatial, channels],
  };
}

/** Computes with the channels last what is given, and wanted, in `layout`. */
export function channelsLast(x: tf.Tensor, layout: Layout, compute: (x: tf.Tensor) => tf.Tensor): tf.Tensor {
  if (!layout.first) return compute(x);
  const spatial = Array.from({ length: x.rank - 2 }, (_, i) => i + 1);
  const y = compute(tf.transpose(x, [0, ...spatial.map((i) => i + 1), 1]));
  return tf.transpose(y, [0, x.rank - 1, ...spatial]);
}

/** Every `step`-th position of one axis, beginning with the first. */
export function everyNth(x: tf.Tensor, axis: number, step: number): tf.Tensor {
  if (step === 1) return x;
  const n = Math.ceil(x.shape[axis]! / step);
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const size = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);
  const flat = tf.reshape(x, [size(before), x.shape[axis]!, size(after)]);
  const whole = tf.pad(flat, [
    [0, 0],
    [0, n * step - x.shape[axis]!],
    [0, 0],
  ]);
  const parted = tf.reshape(whole, [size(before), n, step, size(after)]);
  return tf.reshape(tf.slice(parted, [0, 0, 0, 0], [-1, -1, 1, -1]), [...before, n, ...after]);
}

/** `step` - 1 zeros between the positions of one axis. */
export function spread(x: tf.Tensor, axis: number, step: number): tf.Tensor {
  if (step === 1) return x;
  const n = x.shape[axis]!;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const size = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);
  const parted = tf.reshape(x, [size(before), n, 1, size(after)]);
  const filled = tf.pad(parted, [
    [0, 0],
    [0, 0],
    [0, step - 1],
    [0, 0],
  ]);
  const flat = tf.reshape(filled, [size(before), n * step, size(after)]);
  const whole = tf.slice(flat, [0, 0, 0], [-1, (n - 1) * step + 1, -1]);
  return tf.reshape(whole, [...before, (n - 1) * step + 1, ...after]);
}
