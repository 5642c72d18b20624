import * as tf from "@tensorflow/tfjs";

/** Hyperparameters of Adam (Kingma and Ba, 2015, algorithm 1) that stay fixed during a stage. */
export interface Adam {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export const ADAM: Adam = Object.freeze({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });

/**
 * One Adam update as a pure function of tensors:
 * m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2,
 * x' = x - rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m' / (sqrt(v') + epsilon).
 *
 * `correctedRate` is the scalar tensor rate * sqrt(1 - beta2^t) / (1 - beta1^t) (see `correctedRate`), an input of the
 * compiled step.
 */
export function adamUpdate(
  { beta1, beta2, epsilon }: Adam,
  correctedRate: tf.Tensor,
  x: tf.Tensor,
  gradient: tf.Tensor,
  m: tf.Tensor,
  v: tf.Tensor,
): { x: tf.Tensor; m: tf.Tensor; v: tf.Tensor } {
  const nextM = tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1));
  const nextV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2));
  const step = tf.div(nextM, tf.add(tf.sqrt(nextV), epsilon));
  return { x: tf.sub(x, tf.mul(step, correctedRate)), m: nextM, v: nextV };
}

/** The learning rate of update number `t` (from 1) with Adam's correction of both moments' bias. */
export function correctedRate({ beta1, beta2 }: Adam, rate: number, t: number): number {
  return (rate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
}
