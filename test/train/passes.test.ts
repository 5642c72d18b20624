import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cancelledStep } from "../../sdk/engine/contract.js";
import type { RunOptions, Step, TensorMap } from "../../sdk/engine/engine.js";
import { AutoqnnError } from "../../sdk/errors.js";
import type { Batch } from "../../sdk/train/data.js";
import { firstOf, passes } from "../../sdk/train/passes.js";

let before: number;
beforeEach(() => {
  before = tf.memory().numTensors;
});
afterEach(() => expect(tf.memory().numTensors).toBe(before));

/** Batches of two examples, numbered from 0. */
async function* batches(count: number): AsyncGenerator<Batch> {
  for (let i = 0; i < count; i++)
    yield { x: tf.tensor2d([[2 * i], [2 * i + 1]]), y: tf.tensor1d([i, i], "int32") };
}

/** A step that doubles x; `during` is what happens while it runs, told its number. */
function doubling(during: (run: number, options: RunOptions) => Promise<void> = async () => {}): Step {
  let runs = 0;
  return {
    async run({ x }: TensorMap, options: RunOptions = {}) {
      await during(++runs, options);
      return { doubled: tf.mul(x!, 2) };
    },
    traced: { milliseconds: 0, count: 0 },
    dispose: () => {},
  };
}

const inputs = ({ x }: Batch) => ({ x });
const how = { what: "The work", signal: undefined as AbortSignal | undefined };

async function collect(step: Step, given: AsyncIterable<Batch>, settings = how): Promise<number[]> {
  const seen: number[] = [];
  for await (const { outputs } of passes(step, given, inputs, settings))
    seen.push(...(await outputs.doubled!.data()));
  return seen;
}

test("gives what the step makes of every batch, in order", async () => {
  expect(await collect(doubling(), batches(3))).toEqual([0, 2, 4, 6, 8, 10]);
});

test("leaves nothing behind where the caller breaks off, or throws", async () => {
  for await (const { x } of passes(doubling(), batches(3), inputs, how)) if (x.dataSync()[0] === 2) break;
  const failing = async () => {
    for await (const _ of passes(doubling(), batches(3), inputs, how)) throw new Error("mine");
  };
  await expect(failing()).rejects.toThrow("mine");
});

test("the signal ends the step under way, and the error says after how many examples", async () => {
  const stop = new AbortController();
  const step = doubling(async (run, { signal }) => {
    if (run < 3) return;
    const cancelled = new Promise<never>((_, reject) =>
      signal!.addEventListener("abort", () => reject(cancelledStep("doubling"))),
    );
    stop.abort();
    await cancelled;
  });
  await expect(collect(step, batches(5), { ...how, signal: stop.signal })).rejects.toMatchObject({
    code: "aborted",
    message: expect.stringContaining("The work was stopped after 4 examples."),
  });
});

test("other errors of the step, and of the data, come through as they are", async () => {
  const broken = doubling(async (run) => {
    if (run === 2) throw new Error("no memory");
  });
  await expect(collect(broken, batches(3))).rejects.toThrow("no memory");
  async function* ending(): AsyncGenerator<Batch> {
    yield* batches(1);
    throw new Error("no more");
  }
  await expect(collect(doubling(), ending())).rejects.toThrow("no more");
});

test("a batch that does not fit into memory: the work, how many examples, and what to give instead", async () => {
  const greedy = doubling(async (run) => {
    if (run === 2) throw new AutoqnnError("out-of-memory", "OOM when allocating tensor", "Free some.");
  });
  await expect(collect(greedy, batches(3))).rejects.toMatchObject({
    code: "out-of-memory",
    message: expect.stringContaining(
      "the work to fit into memory with 2 examples at once, received: OOM when",
    ),
    hint: expect.stringContaining("Give a smaller batchSize, 1 for example"),
  });
});

test.each([1, 2, 3, 4, 9])(
  "the first %i examples are no more than that, and no batch after them",
  async (count) => {
    const seen: number[] = [];
    for await (const { x, y } of firstOf(batches(3), count)) {
      expect(y.shape[0]).toBe(x.shape[0]);
      seen.push(...x.dataSync());
      tf.dispose([x, y]);
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5].slice(0, count));
  },
);
