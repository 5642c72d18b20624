import * as tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import type { Batch, BatchOptions, Source } from "../../sdk/train/data.js";
import { Feed } from "../../sdk/train/feed.js";

const PER_EPOCH = 20;
const STAGE = { batchSize: 1, seed: 0, name: "stage" };

/** Passes of 20 batches whose label is 100 epoch + batch, and what became of the passes, in order. */
function counting(overlapping: boolean): { source: Source; log: string[] } {
  const log: string[] = [];
  async function* epoch({ epoch = 0, skip = 0 }: BatchOptions): AsyncGenerator<Batch> {
    log.push(`open ${epoch}`);
    for (let n = skip; n < PER_EPOCH; n++) yield { x: tf.scalar(0), y: tf.scalar(100 * epoch + n) };
    log.push(`end ${epoch}`);
  }
  const batchesPerEpoch = (): number => PER_EPOCH;
  const halves: Source["halves"] = () => [source, source];
  const source: Source = { examples: {}, identity: "", batchesPerEpoch, epoch, overlapping, halves };
  return { source, log };
}

async function labels(feed: Feed, count: number): Promise<number[]> {
  const found: number[] = [];
  while (found.length < count) {
    const { x, y } = await feed.next();
    feed.prepare();
    found.push(y.dataSync()[0]!);
    tf.dispose([x, y]);
  }
  return found;
}

const expected = Array.from({ length: 50 }, (_, n) => 100 * Math.floor(n / PER_EPOCH) + (n % PER_EPOCH));

test.each([true, false])(
  "epochs follow each other wherever one begins, passes that overlap: %s",
  async (yes) => {
    const before = tf.memory().numTensors;
    for (const done of [0, 7, 19, 20]) {
      const feed = new Feed(counting(yes).source, STAGE, done);
      expect(await labels(feed, 50 - done)).toEqual(expected.slice(done));
      await feed.close();
    }
    expect(tf.memory().numTensors).toBe(before);
  },
);

test("an epoch is open before the last one ends, unless passes may not overlap", async () => {
  for (const [overlapping, order] of [
    [true, ["open 0", "open 1", "end 0"]],
    [false, ["open 0", "end 0", "open 1"]],
  ] as const) {
    const { source, log } = counting(overlapping);
    const feed = new Feed(source, STAGE, 0);
    await labels(feed, PER_EPOCH + 1);
    expect(log.slice(0, 3)).toEqual(order);
    await feed.close();
  }
});

test("an epoch that cannot be opened fails its own first batch, not one before", async () => {
  const { source } = counting(true);
  const epoch = (options: BatchOptions): AsyncIterable<Batch> =>
    options.epoch === 0
      ? source.epoch(options)
      : {
          [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("no such epoch")) }),
        };
  const feed = new Feed({ ...source, epoch }, STAGE, 0);
  expect(await labels(feed, PER_EPOCH)).toEqual(expected.slice(0, PER_EPOCH));
  await expect(feed.next()).rejects.toThrow("no such epoch");
  await feed.close();
});
