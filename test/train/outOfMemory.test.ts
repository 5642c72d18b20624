import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { NativeBackend } from "../../sdk/engine/native/backend.js";
import { autoqnn, engine, type Progress, pretrain, score } from "../../sdk/index.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

/** As TensorFlow says it. */
const OOM =
  "OOM when allocating tensor with shape[128,64,112,112] and type float on /job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu";

let directory: string;
let giveBack = () => {};
beforeAll(() => engine());
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "autoqnn-memory-"));
});
afterEach(async () => {
  giveBack();
  await rm(directory, { recursive: true, force: true });
});

const model = smallNetwork();
const data = blobData();

/** From now on, until the end of the test, no function of the engine gets the memory that it asks for. */
function takeMemory(): void {
  const backend = tf.backend() as unknown as { addon: NativeBackend["addon"] };
  const runFunction = () => ({ outputs: Promise.reject(new Error(OOM)), cancel: () => {} });
  const { addon } = backend;
  backend.addon = Object.create(addon, { runFunction: { value: runFunction } });
  giveBack = () => {
    backend.addon = addon;
  };
}

/** Fine-tunes for 20 steps, and takes the memory away once `fitting` are reported; gives the first step that was. */
async function tuned(fitting: number, options: object, watch: object): Promise<number> {
  let first = 0;
  const onProgress = ({ step, ended }: Progress): void => {
    if (ended) return;
    if (first === 0) first = step;
    if (step >= fitting) takeMemory();
  };
  await autoqnn(model, { data, seed: 5, ...options })
    .fineTune({ steps: 20, onProgress, ...watch })
    .run();
  return first;
}

test.each([
  [128, {}, "batchSize: 64, recipe: { accumulate: 2 }"],
  [64, { accumulate: 2 }, "batchSize: 32, recipe: { accumulate: 4 }"],
  [15, {}, "batchSize: 5, recipe: { accumulate: 3 }"],
])("a step that does not fit names what should: batches of %i", async (batchSize, recipe, advice) => {
  const work = tuned(1, { batchSize, recipe }, { checkpoint: directory });
  await expect(work).rejects.toMatchObject({
    code: "out-of-memory",
    message: expect.stringMatching(
      new RegExp(`step \\d+ of 20 of ".*tun.*" .* ${batchSize} examples at once.*OOM when allocating`),
    ),
    hint: expect.stringContaining(advice),
  });
});

test("a single example cannot be made less", async () => {
  await expect(tuned(1, { batchSize: 1 }, {})).rejects.toMatchObject({
    hint: expect.stringMatching(/smaller images, a smaller network/),
  });
});

test.each(["directory", "process"])("what had been done is kept in the %s, and goes on", async (place) => {
  const watch = place === "directory" ? { checkpoint: directory } : {};
  const undisturbed = await autoqnn(model, { data, seed: 5, batchSize: 32 }).fineTune({ steps: 20 }).run();
  await expect(tuned(7, { batchSize: 32 }, watch)).rejects.toMatchObject({
    hint: expect.stringMatching(
      new RegExp(
        `With other batches it begins anew.*after step \\d+ is kept .*${place === "directory" ? directory : place}.*run the same again`,
      ),
    ),
  });
  if (place === "directory") expect((await readdir(directory)).length).toBeGreaterThan(0);
  giveBack();
  expect(await tuned(Infinity, { batchSize: 32 }, watch)).toBeGreaterThan(7);
  const again = await autoqnn(model, { data, seed: 5, batchSize: 32 }).fineTune({ steps: 20 }).run();
  expect(again.history.loss).toEqual(undisturbed.history.loss);
});

test("an evaluation that does not fit says with how many examples, and what to give", async () => {
  const quantized = await autoqnn(model, { data, seed: 5, batchSize: 32 }).generate();
  takeMemory();
  const refusal = { code: "out-of-memory", hint: expect.stringContaining("Give a smaller batchSize, 20 ") };
  await expect(quantized.evaluate(data.test, { batchSize: 40 })).rejects.toMatchObject(refusal);
  await expect(score(model, data.test, { batchSize: 40 })).rejects.toMatchObject(refusal);
});

test("nothing is said of what was kept where no step was done", async () => {
  takeMemory();
  const work = pretrain(smallNetwork(), data, { steps: 4, batchSize: 32 });
  await expect(work).rejects.toMatchObject({
    code: "out-of-memory",
    hint: expect.not.stringContaining("kept"),
  });
});
