import * as tf from "@tensorflow/tfjs";
import type { Arguments, Shape } from "./arguments.js";
import type { Operation, Operations } from "./row.js";

/** Where result position i of m lies among n positions: by pixel centres, by corners, or by the plain ratio. */
type Place = (i: number, n: number, m: number) => number;
const CENTRES: Place = (i, n, m) => ((i + 0.5) * n) / m - 0.5;
const CORNERS: Place = (i, n, m) => (m > 1 ? (i * (n - 1)) / (m - 1) : 0);
const RATIO: Place = (i, n, m) => (i * n) / m;

/** Of nearest positions TensorFlow rounds those by corners, and takes what lies before of the others. */
function nearest(place: Place): (i: number, n: number, m: number) => number {
  if (place === CORNERS) return (i, n, m) => Math.round(CORNERS(i, n, m));
  return (i, n, m) => Math.floor(place === CENTRES ? ((i + 0.5) * n) / m : RATIO(i, n, m));
}

/**
 * One axis of x resized to m positions. Rows are looked up and mixed: tfjs's own kernels have gradients for some of the
 * conventions alone.
 */
function stretched(x: tf.Tensor, axis: number, m: number, method: string, place: Place): tf.Tensor {
  const n = x.shape[axis]!;
  if (n === m && place !== RATIO) return x;
  const last = (i: number): number => Math.min(Math.max(i, 0), n - 1);
  const count = Array.from({ length: m }, (_, i) => i);
  const rows = (indices: number[]): tf.Tensor => tf.gather(x, tf.tensor1d(indices.map(last), "int32"), axis);
  if (method === "nearest") return rows(count.map((i) => nearest(place)(i, n, m)));
  const at = count.map((i) => last(place(i, n, m)));
  const share = tf.reshape(
    tf.tensor1d(at.map((p) => p - Math.floor(p))),
    x.shape.map((_, i) => (i === axis ? m : 1)),
  );
  const [before, after] = [rows(at.map(Math.floor)), rows(at.map((p) => Math.floor(p) + 1))];
  return tf.add(before, tf.mul(tf.sub(after, before), share));
}

function place(a: Arguments): Place {
  if (a.flag("alignCorners")) return CORNERS;
  return a.flag("halfPixelCenters", true) ? CENTRES : RATIO;
}

const channelsLast = (a: Arguments): void => {
  const format = a.word("format", "channels_last");
  if (format !== "channels_last" && format !== "nhwc") a.refuse("format", "channels last");
};

/** Images [..., height, width, channels] of another height and width. */
const resize: Operation = {
  compute: (a) => {
    channelsLast(a);
    const x = a.tensor("x");
    const method = a.word("method", "bilinear");
    if (method !== "bilinear" && method !== "nearest") a.refuse("method", "bilinear or nearest");
    const [height, width] = a.integers("size");
    const tall = stretched(x, x.rank - 3, height!, method, place(a));
    return stretched(tall, x.rank - 2, width!, method, place(a));
  },
  shape: (a) => [...a.shape("x").slice(0, -3), ...a.integers("size"), a.shape("x").at(-1)!],
};

/** How much is cut off, or added, before and after an axis of n: two of three numbers decide, what is missing is 0. */
function margins(a: Arguments, n: number, names: readonly [string, string, string]): [number, number] {
  const [before, after, target] = names.map((name) => (a.has(name) ? a.integer(name) : undefined));
  const both = target === undefined ? undefined : Math.abs(n - target);
  const first = before ?? (both === undefined || after === undefined ? 0 : both - after);
  return [first, after ?? (both === undefined ? 0 : both - first)];
}

type Sides = readonly [height: [number, number], width: [number, number]];

function sides(a: Arguments, suffix: "cropping" | "padding"): Sides {
  channelsLast(a);
  const [height, width] = a.shape("x").slice(-3) as [number, number, number];
  return [
    margins(a, height, [`top_${suffix}`, `bottom_${suffix}`, "target_height"]),
    margins(a, width, [`left_${suffix}`, `right_${suffix}`, "target_width"]),
  ];
}

const framed = (shape: Shape, [h, w]: Sides, sign: 1 | -1): Shape => [
  ...shape.slice(0, -3),
  shape.at(-3)! + sign * (h[0] + h[1]),
  shape.at(-2)! + sign * (w[0] + w[1]),
  shape.at(-1)!,
];

const cropImages: Operation = {
  compute: (a) => {
    const x = a.tensor("x");
    const [h, w] = sides(a, "cropping");
    const begin = x.shape.map((_, i) => (i === x.rank - 3 ? h[0] : i === x.rank - 2 ? w[0] : 0));
    return tf.slice(x, begin, [...framed(x.shape, [h, w], -1)]);
  },
  shape: (a) => framed(a.shape("x"), sides(a, "cropping"), -1),
  moves: true,
};

const padImages: Operation = {
  compute: (a) => {
    const x = a.tensor("x");
    const [h, w] = sides(a, "padding");
    return tf.pad(
      x,
      x.shape.map((_, i) => (i === x.rank - 3 ? h : i === x.rank - 2 ? w : [0, 0])),
    );
  },
  shape: (a) => framed(a.shape("x"), sides(a, "padding"), 1),
};

/** 0.2989 R + 0.587 G + 0.114 B */
const grayscale: Operation = {
  compute: (a) => {
    channelsLast(a);
    return tf.sum(tf.mul(a.tensor("x"), tf.tensor1d([0.2989, 0.587, 0.114])), -1, true);
  },
  shape: (a) => a.shape("x").with(-1, 1),
};

/** Operations on images, channels last. */
export const IMAGE: Operations = { resize, cropImages, padImages, grayscale };
