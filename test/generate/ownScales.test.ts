import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { autoqnn } from "../../sdk/index.js";
import { blobs, smallNetwork } from "../plan/blobs.js";

beforeAll(() => engine());

/** One dense layer whose kernel has these columns. */
function dense(columns: readonly (readonly number[])[]): tf.LayersModel {
  const rows = columns[0]!.length;
  const layer = tf.layers.dense({ name: "dense", units: columns.length, inputShape: [rows] });
  const model = tf.sequential({ layers: [layer] });
  layer.setWeights([tf.transpose(tf.tensor2d(columns.map((c) => [...c]))), tf.zeros([columns.length])]);
  return model;
}

const pin = { "*": { scheme: "fixed", bits: 8 } } as const;
const kernel = async (model: tf.LayersModel, options: object = {}) => {
  const generated = await autoqnn(model, { pin, ...options }).generate();
  const outputs = generated.predict(tf.eye(model.inputs[0]!.shape[1]!)) as tf.Tensor;
  return { node: generated.nodes.find(({ id }) => id === "dense/kernel")!, values: [...outputs.dataSync()] };
};

test("channels that differ widely get a scale each, and whole multiples of a step are met exactly", async () => {
  const [coarse, fine] = [
    [0.5, -100, 37.5, 0],
    [0.003, 0.011, -0.097, 0.05],
  ];
  const { node, values } = await kernel(dense([coarse, fine]));
  expect(node.factor?.shape).toEqual([1, 2]);
  const expected = coarse.flatMap((x, i) => [x, fine[i]!]);
  for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, i % 2 ? 6 : 0);
  for (const [i, x] of fine.entries()) expect(Math.abs(values[2 * i + 1]! - x)).toBeLessThan(1e-7);
});

test("one scale stays where the channels are alike, in clip, and everywhere by perChannel: false", async () => {
  // Multiples of the one step that fixed has for all of them.
  const alike = [
    [1, -0.5, 0.25],
    [-1, 0.75, 0.5],
  ];
  expect((await kernel(dense(alike))).node.factor).toBeUndefined();
  const unlike = dense([
    [100, 1, 2],
    [0.003, 0.011, -0.097],
  ]);
  expect((await kernel(unlike)).node.factor).toBeDefined();
  expect((await kernel(unlike, { perChannel: false })).node.factor).toBeUndefined();
  const clip = { "*": { scheme: "clip", bits: 8 } };
  expect((await kernel(unlike, { pin: clip })).node.factor).toBeUndefined();
});

test("an input in fixed point spans what was seen, whatever the batches", async () => {
  const train = blobs(32, 1);
  const of = async (batchSize: number) => {
    const { nodes } = await autoqnn(smallNetwork(), { data: { train }, batchSize, pin }).generate();
    return nodes.flatMap(({ kind, staircase }) => (kind === "input" ? [staircase.levels.at(-1)!] : []));
  };
  const [small, large] = [await of(4), await of(32)];
  expect(small.length).toBeGreaterThan(0);
  for (const [i, level] of small.entries()) expect(level / large[i]!).toBeCloseTo(1, 5);
});
