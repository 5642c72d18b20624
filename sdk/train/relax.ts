import * as tf from "@tensorflow/tfjs";
import { type DeviceStaircase, quantize, withoutGradient } from "../engine/ops.js";
import type { GradientRule } from "../staircase/gradient.js";

/** How a stage trains through its staircases. `ratio` is r at the first step; it falls linearly to 0 at the last. */
export interface Relaxation {
  readonly rule: GradientRule;
  readonly ratio: number;
}

/**
 * A quantizer in training under one of the author's gradient rules (`staircase/gradient.ts`):
 * y = (1 - r) Q(x) + r clip(x, lower, upper), the gradient passing within lower and upper. `ste` is r = 0; `pwl` takes the
 * staircase's own clip range, if it has one; `pwl-c` also the range of the levels in use.
 *
 * @param ratio r, a scalar
 */
export function relaxed(
  rule: GradientRule,
  x: tf.Tensor,
  staircase: DeviceStaircase,
  scale: tf.Tensor,
  ratio: tf.Tensor,
): tf.Tensor {
  if (rule === "ste") return quantize(x, staircase, scale);
  const { lower, upper } = passing(rule, x, staircase, scale);
  const unscaled = (end: tf.Tensor | undefined) => end && withoutGradient(() => tf.div(end, scale));
  const mask = range(unscaled(lower), unscaled(upper));
  const { thresholds, steps, base } = staircase;
  const q = quantize(x, { thresholds, steps, base, ...(mask && { mask }) }, scale);
  const below = upper ? tf.minimum(x, upper) : x;
  const clipped = lower ? tf.maximum(below, lower) : below;
  return tf.add(tf.mul(q, tf.sub(1, ratio)), tf.mul(clipped, ratio));
}

/** The ends of the range in which the gradient passes, constants of differentiation. */
function passing(
  rule: GradientRule,
  x: tf.Tensor,
  { mask, ...staircase }: DeviceStaircase,
  scale: tf.Tensor,
): { lower: tf.Tensor | undefined; upper: tf.Tensor | undefined } {
  const ends = mask ? tf.unstack(withoutGradient(() => tf.mul(mask.thresholds, scale))) : [];
  // A clip range has an upper end; the forms for values that are never negative have no lower one.
  let upper = ends.at(-1);
  let lower = ends.length > 1 ? ends[0] : undefined;
  if (rule === "pwl-c") {
    const used = tf.unstack(
      withoutGradient(() => {
        const q = quantize(x, staircase, scale);
        return tf.stack([tf.min(q), tf.max(q)]);
      }),
    );
    lower = lower ? tf.maximum(lower, used[0]!) : used[0]!;
    upper = upper ? tf.minimum(upper, used[1]!) : used[1]!;
  }
  return { lower, upper };
}

/** The staircase that is 1 from `lower` to `upper`, both included, and 0 outside. */
function range(lower: tf.Tensor | undefined, upper: tf.Tensor | undefined): DeviceStaircase["mask"] {
  if (!upper) return undefined;
  if (!lower) {
    return { thresholds: tf.reshape(upper, [1]), steps: tf.tensor1d([-1]), base: tf.scalar(1) };
  }
  // Just below the lower end, so that x at the end itself lies above it.
  const under = tf.sub(lower, tf.add(tf.mul(tf.abs(lower), 2 ** -22), 2 ** -100));
  return {
    thresholds: tf.stack([under, upper]) as tf.Tensor1D,
    steps: tf.tensor1d([1, -1]),
    base: tf.scalar(0),
  };
}
