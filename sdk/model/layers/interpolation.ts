import * as tf from "@tensorflow/tfjs";
import { withoutGradient } from "./layer.js";

/** How values between positions are made: TensorFlow's methods by their names. */
export type Interpolation =
  | "nearest"
  | "bilinear"
  | "bicubic"
  | "area"
  | "lanczos3"
  | "lanczos5"
  | "gaussian"
  | "mitchellcubic";

export const INTERPOLATIONS: readonly string[] = [
  "nearest",
  "bilinear",
  "bicubic",
  "area",
  "lanczos3",
  "lanczos5",
  "gaussian",
  "mitchellcubic",
];

type Kernel = (distance: tf.Tensor) => tf.Tensor;

const below = (x: tf.Tensor, limit: number): tf.Tensor => tf.cast(tf.less(x, limit), "float32");
const polynomial = (x: tf.Tensor, [a, b, c, d]: readonly number[]): tf.Tensor =>
  tf.add(tf.mul(tf.add(tf.mul(tf.add(tf.mul(x, a!), b!), x), c!), x), d!);

/** Piecewise: `inner` below 1, `outer` from there to 2. Coefficients of x^3, x^2, x, 1. */
const cubic =
  (inner: readonly number[], outer: readonly number[]): Kernel =>
  (x) => {
    const near = below(x, 1);
    const far = tf.sub(below(x, 2), near);
    return tf.add(tf.mul(near, polynomial(x, inner)), tf.mul(far, polynomial(x, outer)));
  };

const lanczos =
  (radius: number): Kernel =>
  (x) => {
    const angle = tf.mul(Math.PI, tf.maximum(x, 1e-3));
    const wave = tf.mul(tf.sin(angle), tf.sin(tf.div(angle, radius)));
    const value = tf.div(tf.mul(wave, radius), tf.square(angle));
    const centre = below(x, 1e-3);
    return tf.mul(below(x, radius), tf.add(centre, tf.mul(tf.sub(1, centre), value)));
  };

const KEYS = cubic([1.5, -2.5, 0, 1], [-0.5, 2.5, -4, 2]);
const triangle: Kernel = (x) => tf.relu(tf.sub(1, x));
const KERNELS: Readonly<Record<string, Kernel>> = {
  bilinear: triangle,
  bicubic: KEYS,
  lanczos3: lanczos(3),
  lanczos5: lanczos(5),
  // Of deviation 0.5, cut at three of them.
  gaussian: (x) => tf.mul(below(x, 1.5), tf.exp(tf.mul(-2, tf.square(x)))),
  mitchellcubic: cubic([7 / 6, -2, 0, 8 / 9], [-7 / 18, 2, -10 / 3, 16 / 9]),
};

const normalized = (weights: tf.Tensor): tf.Tensor => tf.div(weights, tf.sum(weights, 1, true));

/**
 * The weights [to, from] by which `to` values are made of `from` values along an axis, centres of positions at halves: as
 * tf.image.resize has them. Made by operations, since constants of that size do not belong into a compiled step.
 */
export function weightsOf(from: number, to: number, method: Interpolation, antialias: boolean): tf.Tensor {
  const scale = Math.fround(from / to);
  const target = tf.expandDims(tf.range(0, to, 1, "float32"), 1);
  const source = tf.expandDims(tf.range(0, from, 1, "float32"), 0);
  const centre = tf.sub(tf.mul(tf.add(target, 0.5), scale), 0.5);
  if (method === "nearest") {
    const index = tf.minimum(tf.floor(tf.mul(tf.add(target, 0.5), scale)), from - 1);
    return tf.cast(tf.equal(index, source), "float32");
  }
  if (method === "area") {
    const [first, last] = [tf.mul(target, scale), tf.mul(tf.add(target, 1), scale)];
    const overlap = tf.sub(tf.minimum(last, tf.add(source, 1)), tf.maximum(first, source));
    return normalized(tf.relu(overlap));
  }
  if (!antialias && method === "bilinear") {
    return triangle(tf.abs(tf.sub(tf.clipByValue(centre, 0, from - 1), source)));
  }
  if (!antialias && method === "bicubic") {
    // TensorFlow looks this kernel up in a table of 1,024 steps.
    const whole = tf.floor(centre);
    const position = tf.add(whole, tf.div(tf.round(tf.mul(tf.sub(centre, whole), 1024)), 1024));
    return normalized(KEYS(tf.abs(tf.sub(position, source))));
  }
  const width = antialias ? Math.max(scale, 1) : 1;
  return normalized(KERNELS[method]!(tf.div(tf.abs(tf.sub(centre, source)), width)));
}

/** `x` [batch, height, width, channels] at another height and width. */
export function resized(
  x: tf.Tensor,
  [height, width]: readonly [number, number],
  method: Interpolation,
  antialias = false,
): tf.Tensor {
  const [batch, rows, columns, channels] = x.shape as [number, number, number, number];
  const across = (t: tf.Tensor, from: number, to: number): tf.Tensor => {
    if (from === to && !antialias && method !== "gaussian" && method !== "mitchellcubic") return t;
    const weights = withoutGradient(() => tf.expandDims(weightsOf(from, to, method, antialias), 0));
    return tf.matMul(weights, t);
  };
  const tall = across(tf.reshape(x, [batch, rows, columns * channels]), rows, height);
  const wide = across(tf.reshape(tall, [batch * height, columns, channels]), columns, width);
  return tf.reshape(wide, [batch, height, width, channels]);
}
