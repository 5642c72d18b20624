import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { ADAM, type Optimizer, rowOf, SGD } from "../../sdk/train/optimizers.js";

const RATE = 0.05;
const START = [0.3, -1.2, 2.5, 0.7];
const TARGET = [1, 1, -1, 0];

beforeAll(() => tf.setBackend("cpu"));

/** Ten updates on sum (x - target)^2 by the row of `optimizer`; `shape` says what x is. */
function ours(optimizer: Optimizer, shape: number[]): number[] {
  const row = rowOf(optimizer);
  let x = tf.tensor(START, shape);
  let slots = Object.fromEntries(row.slots.map((slot) => [slot, tf.zeros(shape)]));
  for (let t = 1; t <= 10; t++) {
    const gradient = tf.mul(tf.sub(x, tf.tensor(TARGET, shape)), 2);
    const corrected = tf.scalar(row.corrected(optimizer, RATE, t));
    const next = row.update(optimizer, { x, gradient, slots, rate: tf.scalar(RATE), corrected });
    x = next.x;
    slots = next.slots;
  }
  return [...x.dataSync()];
}

/** The same ten updates by one of tfjs's own optimizers, which know no decay. */
function theirs(optimizer: tf.Optimizer): number[] {
  const x = tf.variable(tf.tensor1d(START));
  for (let t = 1; t <= 10; t++)
    optimizer.minimize(() => tf.sum(tf.square(tf.sub(x, tf.tensor1d(TARGET)))) as tf.Scalar);
  return [...x.dataSync()];
}

describe("without decay, ten updates equal those of tfjs", () => {
  test.each([
    ["Adam", ADAM, () => tf.train.adam(RATE, ADAM.beta1, ADAM.beta2, ADAM.epsilon)],
    ["momentum", SGD, () => tf.train.momentum(RATE, 0.9)],
    ["Nesterov's momentum", { ...SGD, nesterov: true }, () => tf.train.momentum(RATE, 0.9, true)],
    ["plain descent", { ...SGD, momentum: 0 }, () => tf.train.sgd(RATE)],
  ] as const)("%s", (_, optimizer, peer) => {
    const expected = theirs(peer());
    for (const [i, value] of ours(optimizer, [4]).entries()) expect(value).toBeCloseTo(expected[i]!, 5);
  });
});

/** PyTorch 2.15's own numbers: AdamW(lr=0.05, weight_decay=0.1) and SGD(lr=0.05, momentum=0.9, weight_decay=0.1), ten steps. */
const PYTORCH = {
  adam: [0.7547269, -0.6573601, 1.8921218, 0.1998525],
  sgd: [1.3322994, 2.2058339, -2.9628978, -0.4076496],
};

describe("decay", () => {
  test.each([
    [
      "of Adam is apart from the gradient, as in PyTorch's AdamW",
      { ...ADAM, weightDecay: 0.1 },
      PYTORCH.adam,
    ],
    ["of descent is part of the gradient, as in PyTorch's SGD", { ...SGD, weightDecay: 0.1 }, PYTORCH.sgd],
  ] as const)("%s", (_, optimizer, expected) => {
    for (const [i, value] of ours(optimizer, [2, 2]).entries()) expect(value).toBeCloseTo(expected[i]!, 5);
  });

  test("leaves vectors alone", () => {
    for (const optimizer of [ADAM, SGD])
      expect(ours({ ...optimizer, weightDecay: 0.1 }, [4])).toEqual(ours(optimizer, [4]));
  });
});
