import * as tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { adam } from "../../sdk/engine/ops.js";
import { ADAM, correctedRate } from "../../sdk/train/adam.js";

test("ten updates equal tfjs's own Adam", async () => {
  await tf.setBackend("cpu");
  const rate = 0.05;
  const start = [0.3, -1.2, 2.5];
  const target = tf.tensor1d([1, 1, -1]);

  const variable = tf.variable(tf.tensor1d(start));
  const optimizer = tf.train.adam(rate, ADAM.beta1, ADAM.beta2, 1e-8);
  let state = {
    x: tf.tensor1d(start) as tf.Tensor,
    m: tf.zeros([3]) as tf.Tensor,
    v: tf.zeros([3]) as tf.Tensor,
  };
  for (let t = 1; t <= 10; t++) {
    optimizer.minimize(() => tf.sum(tf.square(tf.sub(variable, target))) as tf.Scalar);
    const gradient = tf.mul(tf.sub(state.x, target), 2);
    state = adam(ADAM, tf.scalar(correctedRate(ADAM, rate, t)), { ...state, gradient });
  }
  const ours = state.x.dataSync();
  for (const [i, value] of variable.dataSync().entries()) expect(ours[i]).toBeCloseTo(value, 5);
});
