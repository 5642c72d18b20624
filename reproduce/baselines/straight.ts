import { quantize, withoutGradient } from "../../sdk/engine/ops.js";
import { tf } from "../../sdk/index.js";

/** `value` of x on the way forward, the identity on the way back: the straight-through estimator (Bengio et al., 2013). */
export function straight(x: tf.Tensor, value: (x: tf.Tensor) => tf.Tensor): tf.Tensor {
  const through = tf.customGrad((given) => ({
    value: value(given as tf.Tensor),
    gradFunc: (dy: tf.Tensor) => dy,
  }));
  return through(x);
}

/** 1 where x > threshold and 0 elsewhere, a constant of differentiation. */
export const exceeds = (x: tf.Tensor, threshold: tf.Tensor): tf.Tensor =>
  withoutGradient(() => tf.cast(tf.greater(x, threshold), "float32"));

/** The nearest of evenly spaced levels from 0 to 1, `steps` of them above 0; straight through. */
export const evenly = (x: tf.Tensor, steps: number): tf.Tensor =>
  straight(x, (given) => tf.div(tf.round(tf.mul(given, steps)), steps));

/** `x` on the way forward, its gradient times `factor` on the way back. */
export function scaledGradient(x: tf.Tensor, factor: number): tf.Tensor {
  const scaled = tf.customGrad((given) => ({
    value: (given as tf.Tensor).clone(),
    gradFunc: (dy: tf.Tensor) => tf.mul(dy, factor),
  }));
  return scaled(x);
}

/** The nearest of `levels`, ascending; half-way between two, the lower. Straight through. */
export function nearest(x: tf.Tensor, levels: readonly number[]): tf.Tensor {
  const above = levels.slice(1);
  return quantize(x, {
    thresholds: tf.tensor1d(above.map((level, i) => (level + levels[i]!) / 2)),
    steps: tf.tensor1d(above.map((level, i) => level - levels[i]!)),
    base: tf.scalar(levels[0]!),
  });
}
