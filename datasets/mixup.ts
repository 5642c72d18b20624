import * as tf from "@tensorflow/tfjs";
import { random } from "./random.js";

/** What stands for 1 in a share. */
const ONE = 2 ** 24;

/**
 * Each batch's share, repeated for its `batchSize` samples: lambda of Beta(alpha, alpha), in parts of 2^24. Drawn for the whole
 * epoch at once, so that skipping changes none.
 */
export function drawShares(
  count: number,
  batchSize: number,
  alpha: number,
  seed: number,
  epoch: number,
): Int32Array {
  const draw = random("mix", seed, epoch);
  const shares = new Int32Array(count);
  for (let first = 0; first < count; first += batchSize) {
    // A / (A + B) of two gammas, in logarithms: with a small alpha both would underflow.
    const difference = logGamma(alpha, draw) - logGamma(alpha, draw);
    shares.fill(Math.round(ONE / (1 + Math.exp(-difference))), first, first + batchSize);
  }
  return shares;
}

/** The logarithm of a number of the gamma distribution of `shape` (Marsaglia and Tsang, 2000). */
function logGamma(shape: number, draw: () => number): number {
  if (shape < 1) return logGamma(shape + 1, draw) + Math.log(1 - draw()) / shape;
  const d = shape - 1 / 3;
  for (;;) {
    const normal = Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
    const v = (1 + normal / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - draw()) < normal ** 2 / 2 + d * (1 - v + Math.log(v))) return Math.log(d * v);
  }
}

/**
 * lambda x_i + (1 - lambda) x_j of images and one-hot classes (Zhang et al., 2018, equation 1), j running backwards through the
 * batch, which is in random order.
 */
export function mixed(
  x: tf.Tensor,
  y: tf.Tensor,
  shares: tf.Tensor,
  classes: number,
): { x: tf.Tensor; y: tf.Tensor } {
  const share = tf.div(tf.cast(shares, "float32"), ONE);
  const mix = (values: tf.Tensor): tf.Tensor => {
    const own = tf.reshape(share, [-1, ...new Array<number>(values.rank - 1).fill(1)]);
    const other = tf.reverse(values, 0);
    return tf.add(other, tf.mul(own, tf.sub(values, other)));
  };
  return { x: mix(x), y: mix(tf.cast(tf.oneHot(y as tf.Tensor1D, classes), "float32")) };
}
