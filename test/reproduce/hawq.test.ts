import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { hawq, squaredError } from "../../reproduce/baselines/hawq.js";
import { averageTraces } from "../../reproduce/baselines/hessian.js";
import { trainBaseline } from "../../reproduce/baselines/train.js";
import { engine, pretrain, quantizedGraph } from "../../sdk/index.js";
import { uncalibrated } from "../../sdk/train/calibrate.js";
import { stream } from "../../sdk/train/random.js";
import { PLAIN } from "../../sdk/train/recipe.js";
import { openWorkbench } from "../../sdk/train/workbench.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

const INPUTS = 4;
const HIDDEN = 3;
const CLASSES = 3;
const EXAMPLES = 16;

/** Mean cross-entropy of softmax(tanh(x a) b), in float64. */
function loss(x: readonly number[][], y: readonly number[], a: Float64Array, b: Float64Array): number {
  const losses = x.map((row, n) => {
    const hidden = Array.from({ length: HIDDEN }, (_, h) =>
      Math.tanh(row.reduce((sum, value, i) => sum + value * a[i * HIDDEN + h]!, 0)),
    );
    const logits = Array.from({ length: CLASSES }, (_, c) =>
      hidden.reduce((sum, value, h) => sum + value * b[h * CLASSES + c]!, 0),
    );
    return Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0)) - logits[y[n]!]!;
  });
  return losses.reduce((sum, value) => sum + value, 0) / losses.length;
}

/** The trace of the Hessian of `f` at `w`: second differences along every axis. */
function trace(f: (w: Float64Array) => number, w: Float64Array): number {
  const h = 1e-4;
  const at = (i: number, by: number): number => f(w.map((value, j) => (j === i ? value + by : value)));
  return w.reduce((sum, _, i) => sum + (at(i, h) - 2 * f(w) + at(i, -h)) / h ** 2, 0);
}

test("average traces are those of the exact Hessian of a small network", async () => {
  const native = await engine();
  const draw = stream(1, "hessian");
  const values = (count: number): number[] => Array.from({ length: count }, () => 2 * draw() - 1);
  const x = Array.from({ length: EXAMPLES }, () => values(INPUTS));
  const y = x.map(([first]) => (first! > 0.3 ? 2 : first! > -0.3 ? 1 : 0));
  const [a, b] = [Float64Array.from(values(INPUTS * HIDDEN)), Float64Array.from(values(HIDDEN * CLASSES))];
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [INPUTS], units: HIDDEN, activation: "tanh", useBias: false }),
      tf.layers.dense({ units: CLASSES, activation: "softmax", useBias: false }),
    ],
  });
  model.setWeights([tf.tensor2d([...a], [INPUTS, HIDDEN]), tf.tensor2d([...b], [HIDDEN, CLASSES])]);
  const graph = quantizedGraph(model);
  const data = { train: [{ x: tf.tensor2d(x), y: tf.tensor1d(y, "int32") }] };
  const settings = { progress: () => {}, seed: 3, batchSize: EXAMPLES, recipe: PLAIN };
  const bench = await openWorkbench(native, graph, data, settings);
  const weights = graph.nodes.filter(({ kind }) => kind === "weight");
  const found = await averageTraces(bench, await uncalibrated(graph), weights, { draws: 600 });
  const exact = [trace((w) => loss(x, y, w, b), a) / a.length, trace((w) => loss(x, y, a, w), b) / b.length];
  for (const [i, { id }] of weights.entries()) {
    expect(exact[i]).toBeGreaterThan(0);
    expect(Math.abs(found[id]! / exact[i]! - 1)).toBeLessThan(0.1);
  }
});

describe("squared error of evenly spaced levels", () => {
  const draw = stream(2, "weights");
  const w = Float32Array.from({ length: 2000 }, () => draw() + draw() + draw() - 1.5);

  test("one bit: that of the mean magnitude", () => {
    const square = w.reduce((sum, value) => sum + value ** 2, 0);
    const magnitude = w.reduce((sum, value) => sum + Math.abs(value), 0);
    expect(squaredError(w, 1)).toBeCloseTo(square - magnitude ** 2 / w.length, 3);
  });

  test("each bit more takes at least half of it, and levels on the grid have none", () => {
    const errors = [1, 2, 3, 4, 5, 6, 7, 8].map((bits) => squaredError(w, bits));
    for (const [i, error] of errors.slice(1).entries()) expect(error).toBeLessThan(0.6 * errors[i]!);
    expect(squaredError(Float32Array.of(-0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 0), 3)).toBeCloseTo(0, 10);
    expect(squaredError(new Float32Array(4), 2)).toBe(0);
  });
});

test("bitwidths differ between layers and take no more bytes than the same everywhere", async () => {
  const data = blobData();
  const model = smallNetwork();
  const quiet = { onProgress: () => {} };
  await pretrain(model, data, { epochs: 3, batchSize: 32, learningRate: 0.01, ...quiet });
  const options = { data, seed: 5, bits: 2, steps: 10, batchSize: 32, learningRate: 0.01, ...quiet };
  const run = await trainBaseline(model, hawq, options);
  const nodes = quantizedGraph(model).nodes;
  const weights = nodes.filter(({ kind }) => kind === "weight");
  expect(new Set(weights.map(({ id }) => run.bits[id])).size).toBeGreaterThan(1);
  expect(run.averageBits.weights).toBeLessThanOrEqual(2);
  expect(run.averageBits.activations).toBe(2);
  const bits = weights.reduce((sum, { id, elements }) => sum + elements * run.bits[id]!, 0);
  expect(run.bytes).toBe(Math.ceil(bits / 8));
  expect(run.bytes).toBeGreaterThan(0);
});
