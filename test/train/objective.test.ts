import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { crossEntropy, divergence } from "../../sdk/train/objective.js";

const LOGITS = [
  [2, -1, 0.5],
  [0.1, 0.2, -3],
];
const TEACHER = [
  [1, 0, 0],
  [-1, 2, 0.5],
];

beforeAll(() => tf.setBackend("cpu"));

test("cross-entropy with label smoothing equals that of tfjs", () => {
  const labels = tf.tensor1d([2, 0], "int32");
  for (const smoothing of [0, 0.1, 0.5]) {
    const theirs = tf.losses.softmaxCrossEntropy(tf.oneHot(labels, 3), tf.tensor2d(LOGITS), 1, smoothing);
    const ours = crossEntropy(tf.tensor2d(LOGITS), labels, smoothing);
    expect(ours.dataSync()[0]).toBeCloseTo(theirs.dataSync()[0]!, 5);
  }
});

test("the divergence from a teacher is T^2 KL, computed in double precision", () => {
  const softmax = (row: number[], temperature: number) => {
    const powers = row.map((value) => Math.exp(value / temperature));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((value) => value / sum);
  };
  for (const temperature of [1, 4]) {
    const rows = TEACHER.map((row, i) => {
      const q = softmax(LOGITS[i]!, temperature);
      return softmax(row, temperature).reduce((sum, p, c) => sum + p * Math.log(p / q[c]!), 0);
    });
    const expected = (temperature ** 2 * (rows[0]! + rows[1]!)) / 2;
    const ours = divergence(tf.tensor2d(LOGITS), tf.tensor2d(TEACHER), temperature);
    expect(ours.dataSync()[0]).toBeCloseTo(expected, 5);
  }
});

test("a network that says what its teacher says has no divergence, and no gradient of it", () => {
  const teacher = tf.tensor2d(TEACHER);
  const { value, grad } = tf.valueAndGrad((logits: tf.Tensor) => divergence(logits, teacher, 3))(teacher);
  expect(value.dataSync()[0]).toBeCloseTo(0, 6);
  for (const g of grad.dataSync()) expect(g).toBeCloseTo(0, 6);
});
