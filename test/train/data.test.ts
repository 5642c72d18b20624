import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { type Batch, checkedSource } from "../../sdk/train/data.js";

beforeAll(() => tf.setBackend("cpu"));

const model = { inputShape: [null, 2, 2, 1], classes: 3 };
const batch = (labels: number[], fill = 0.5): Batch => ({
  x: tf.fill([labels.length, 2, 2, 1], fill),
  y: tf.tensor1d(labels, "int32"),
});

async function labelsOf(source: Awaited<ReturnType<typeof checkedSource>>, skip = 0): Promise<number[][]> {
  const seen: number[][] = [];
  for await (const { x, y } of source.epoch({ batchSize: 2, skip })) {
    seen.push([...y.dataSync()]);
    tf.dispose([x, y]);
  }
  return seen;
}

test("a plain array of batches is counted, and can be iterated epoch after epoch", async () => {
  const source = await checkedSource("train", [batch([0, 1]), batch([2])], model);
  expect(source.batchesPerEpoch(2)).toBe(2);
  expect(await labelsOf(source)).toEqual([[0, 1], [2]]);
  expect(await labelsOf(source)).toEqual([[0, 1], [2]]);
  expect(await labelsOf(source, 1)).toEqual([[2]]);
});

test("an iterable without an end, which never waits, can be stopped, and says how far it was read", async () => {
  const stop = new AbortController();
  const one = batch([0, 1]);
  function* endless(): Generator<Batch> {
    for (;;) yield one;
  }
  setTimeout(() => stop.abort(), 20);
  await expect(checkedSource("train", endless(), model, stop.signal)).rejects.toMatchObject({
    code: "aborted",
    message: expect.stringMatching(/Reading train was stopped after \d+ batches/),
  });
});

test("halves share nothing and leave nothing out", async () => {
  const source = await checkedSource("train", [batch([0]), batch([1]), batch([2])], model);
  const [first, second] = source.halves(0);
  expect(await labelsOf(first)).toEqual([[0], [2]]);
  expect(await labelsOf(second)).toEqual([[1]]);
});

describe("bad data is refused before training, with the place named", () => {
  const cases: [string, () => Batch[], RegExp][] = [
    ["an empty set", () => [], /empty data set/],
    ["a label out of range", () => [batch([0]), batch([1, 3])], /train batch 1, received 3 at position 1/],
    ["a fractional label", () => [{ x: tf.zeros([1, 2, 2, 1]), y: tf.tensor1d([0.5]) }], /received 0\.5/],
    ["another shape", () => [{ x: tf.zeros([1, 3, 3, 1]), y: tf.tensor1d([0], "int32") }], /\[1, 3, 3, 1\]/],
    [
      "more labels than examples",
      () => [{ x: tf.zeros([1, 2, 2, 1]), y: tf.tensor1d([0, 1], "int32") }],
      /y \[2\]/,
    ],
    [
      "probabilities of other classes",
      () => [{ x: tf.zeros([1, 2, 2, 1]), y: tf.zeros([1, 4]) }],
      /\[1, 4\]/,
    ],
    ["NaN", () => [batch([0], Number.NaN)], /finite inputs/],
    ["no tensors", () => [{ x: [1], y: [0] } as unknown as Batch], /x: Array/],
  ];
  test.each(cases)("%s", async (_name, make, message) => {
    const refused = checkedSource("train", make(), model);
    await expect(refused).rejects.toMatchObject({ name: "AutoqnnError", code: "bad-data" });
    await expect(refused).rejects.toThrow(message);
  });
});
