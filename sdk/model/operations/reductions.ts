import * as tf from "@tensorflow/tfjs";
import { withoutGradient } from "../layers/layer.js";
import { type Arguments, floating, type Shape } from "./arguments.js";
import { alike, type Operation, type Operations, reduced, reduction, size } from "./row.js";

const variance = (x: tf.Tensor, axes: number[], keep: boolean): tf.Tensor =>
  tf.mean(tf.square(tf.sub(x, tf.mean(x, axes, true))), axes, keep);

/** Of what holds for a condition on x, as 1 and 0. */
const holds = (condition: (truth: tf.Tensor) => tf.Tensor, x: tf.Tensor): tf.Tensor =>
  withoutGradient(() => floating(condition(tf.notEqual(x, 0))));

/** The greatest or least with an initial value that takes part. */
const extreme = (over: typeof tf.max, of: (x: tf.Tensor, y: tf.Tensor) => tf.Tensor): Operation =>
  reduction((x, axes, keep, a) => {
    const found = axes.length > 0 ? over(x, axes, keep) : x;
    return a.has("initial") ? of(found, a.tensor("initial")) : found;
  });

/** Positions along one axis, or in the flattened tensor. */
const position = (f: (x: tf.Tensor, axis: number) => tf.Tensor): Operation => ({
  compute: (a) => {
    const x = a.tensor("x");
    if (a.has("axis")) {
      const axis = a.axis("axis", x.rank);
      const found = withoutGradient(() => floating(f(x, axis)));
      return a.flag("keepdims") ? tf.expandDims(found, axis) : found;
    }
    const found = withoutGradient(() => floating(f(tf.reshape(x, [-1]), 0)));
    return a.flag("keepdims")
      ? tf.reshape(
          found,
          x.shape.map(() => 1),
        )
      : found;
  },
  shape: (a) => reduced(a.shape("x"), a.axes("axis", a.shape("x").length), a.flag("keepdims")),
});

/**
 * Running sums, exclusive or from the end by option. Without an axis, of the flattened tensor. Along the last axis, since
 * tfjs turns the gradient of any other.
 */
const cumulativeSum: Operation = {
  compute: (a) => {
    const x = a.has("axis") ? a.tensor("x") : tf.reshape(a.tensor("x"), [-1]);
    const axis = a.axis("axis", x.rank, 0);
    const order = x.shape.map((_, i) => (i === axis ? x.rank - 1 : i === x.rank - 1 ? axis : i));
    const sums = tf.cumsum(tf.transpose(x, order), x.rank - 1, a.flag("exclusive"), a.flag("reverse"));
    return tf.transpose(sums, order);
  },
  shape: (a) => (a.has("axis") ? a.shape("x") : [size(a.shape("x"))]),
};

const momentShape = (a: Arguments): Shape =>
  reduced(a.shape("x"), a.axes("axis", a.shape("x").length), a.flag("keepdims"));

/** Mean and variance, two results. */
const moments: Operation = {
  compute: (a) => {
    const x = a.tensor("x");
    const axes = [...a.axes("axis", x.rank)];
    return [tf.mean(x, axes, a.flag("keepdims")), variance(x, axes, a.flag("keepdims"))];
  },
  shape: (a) => [momentShape(a), momentShape(a)],
};

/** sum |x|^p to the power of 1 / p; the largest magnitude for p infinite. */
const norm = reduction((x, axes, keep, a) => {
  const word = a.value("order");
  const order = word === null || word === "euclidean" || word === "fro" ? 2 : a.number("order");
  const magnitude = tf.abs(x);
  if (order === Number.POSITIVE_INFINITY) return tf.max(magnitude, axes, keep);
  if (order === Number.NEGATIVE_INFINITY) return tf.min(magnitude, axes, keep);
  // A matrix's norm of a number is another thing than a vector's, but for 2 by the sum of squares where none is named.
  if (axes.length > 1 && word !== null && word !== "euclidean" && word !== "fro")
    return a.refuse("order", "the norm of a vector");
  if (order === 1) return tf.sum(magnitude, axes, keep);
  if (order === 2) return tf.sqrt(tf.sum(tf.square(x), axes, keep));
  return tf.pow(tf.sum(tf.pow(magnitude, order), axes, keep), 1 / order);
});

/** x / norm(x). The norm is at least `epsilon`, or, for another convention, its square is at least `squareEpsilon`. */
const normalize = alike((x, a) => {
  const axes = [...a.axes("axis", x.rank)];
  const order = a.number("order", 2);
  const least = a.number("epsilon", 1e-7);
  if (order === 2) {
    const square = tf.sum(tf.square(x), axes, true);
    return tf.mul(x, tf.rsqrt(tf.maximum(square, a.number("squareEpsilon", least ** 2))));
  }
  const length = tf.pow(tf.sum(tf.pow(tf.abs(x), order), axes, true), 1 / order);
  return tf.div(x, tf.maximum(length, least));
});

/** Reductions: over the axes of `axis`, or all. */
export const REDUCTIONS: Operations = {
  mean: reduction((x, axes, keep) => (axes.length > 0 ? tf.mean(x, axes, keep) : x)),
  sum: reduction((x, axes, keep) => (axes.length > 0 ? tf.sum(x, axes, keep) : x)),
  prod: reduction((x, axes, keep) => (axes.length > 0 ? tf.prod(x, axes, keep) : x)),
  max: extreme(tf.max, tf.maximum),
  min: extreme(tf.min, tf.minimum),
  ptp: reduction((x, axes, keep) => tf.sub(tf.max(x, axes, keep), tf.min(x, axes, keep))),
  all: reduction((x, axes, keep) => holds((truth) => tf.all(truth, axes, keep), x)),
  any: reduction((x, axes, keep) => holds((truth) => tf.any(truth, axes, keep), x)),
  countNonzero: reduction((x, axes, keep) => holds((truth) => tf.sum(truth.cast("float32"), axes, keep), x)),
  variance: reduction(variance),
  standardDeviation: reduction((x, axes, keep) => tf.sqrt(variance(x, axes, keep))),
  logSumExp: reduction((x, axes, keep) => tf.logSumExp(x, axes, keep)),
  euclideanNorm: reduction((x, axes, keep) => tf.sqrt(tf.sum(tf.square(x), axes, keep))),
  argMax: position(tf.argMax),
  argMin: position(tf.argMin),
  cumulativeSum,
  moments,
  norm,
  normalize,
};
