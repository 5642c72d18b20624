import { copyFile, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { autoqnn, engine, type Progress, pretrain } from "../../sdk/index.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

let model: tf.LayersModel;
let checkpoint: string;
const data = blobData();
const options = { data, seed: 5, batchSize: 32 };

beforeAll(async () => {
  await engine();
  model = smallNetwork();
});
beforeEach(async () => {
  checkpoint = await mkdtemp(join(tmpdir(), "autoqnn-keeper-"));
});
afterEach(() => rm(checkpoint, { recursive: true, force: true }));

const files = async (): Promise<string[]> => (await readdir(checkpoint)).sort();

type Kind = "search" | "learn" | "tune" | "train";

/** Stops a training of 40 steps, over three epochs of 12, after its 30th or soon after; gives where it began. */
async function stopped(kind: Kind, own: object = {}, of = data, at = 30): Promise<number> {
  const stop = new AbortController();
  let first = 0;
  const onProgress = ({ step, ended }: Progress): void => {
    if (!ended) first ||= step;
    if (step >= at) stop.abort();
  };
  const watch = { steps: 40, checkpoint, signal: stop.signal, onProgress, ...own };
  const plan = autoqnn(model, { ...options, data: of });
  const work: Record<Kind, () => Promise<unknown>> = {
    search: () => plan.searchSchemes(watch).run(),
    learn: () => plan.learnPrecision(watch).run(),
    tune: () => plan.fineTune(watch).run(),
    train: () => pretrain(smallNetwork(), of, { batchSize: 32, ...watch }),
  };
  await expect(work[kind]()).rejects.toMatchObject({ code: "aborted" });
  return first;
}

test("while a stage trains its last two states lie there, once it has ended the last, without the optimizer", async () => {
  await stopped("tune");
  const [before, last] = await files();
  expect([before, (await files()).length]).toEqual([last!.replace(".safetensors", ".before.safetensors"), 2]);
  const holdsMoments = async () =>
    (await readFile(join(checkpoint, last!), "latin1")).includes('"state/m/variable/one/kernel"');
  expect(await holdsMoments()).toBe(true);
  await autoqnn(model, options).fineTune({ steps: 40, checkpoint }).run();
  expect(await files()).toEqual([last]);
  expect(await holdsMoments()).toBe(false);
});

test.each([
  ["budgets", "learn", { budget: { averageBits: 3 } }, data],
  ["temperatures", "search", { temperature: [1, 0.1] }, data],
  ["data", "train", {}, blobData(2)],
] as const)("what was kept under other %s is not continued", async (_, kind, own, of) => {
  await stopped(kind);
  expect(await stopped(kind, own, of)).toBe(1);
  expect(await stopped(kind)).toBeGreaterThan(30);
});

describe("what cannot be continued is refused", () => {
  const refused = (message: RegExp) =>
    expect(autoqnn(model, options).fineTune({ steps: 40, checkpoint }).run()).rejects.toMatchObject({
      code: "bad-file",
      message: expect.stringMatching(message),
    });

  test("a file in which one bit has turned; without it, the state before goes on", async () => {
    await stopped("tune");
    const last = join(checkpoint, (await files())[1]!);
    const body = await readFile(last);
    body[body.length - 3]! ^= 1;
    await writeFile(last, body);
    await refused(/received other contents than were written\. Delete the file: .* the checkpoint before it/);
    await rm(last);
    expect(await stopped("tune", {}, data, 40)).toBeGreaterThan(12);
  });

  test("another stage's file under its name", async () => {
    await stopped("tune");
    const name = (await files())[1]!;
    await rename(join(checkpoint, name), join(checkpoint, "own"));
    await stopped("tune", { learningRate: 0.02 });
    const other = (await files()).find(
      (file) => file.endsWith(".safetensors") && !file.includes(name.slice(0, -12)),
    );
    await copyFile(join(checkpoint, other!.replace(".before", "")), join(checkpoint, name));
    await refused(/Expected the checkpoint of this stage .* another network, other data or other options/);
  });
});

test("what a killed process was writing is removed once it is old", async () => {
  await stopped("tune");
  const name = (await files())[1]!;
  const [old, fresh] = [`.${name}.0123`, `.${name}.4567`];
  for (const file of [old, fresh]) await writeFile(join(checkpoint, file), "half");
  await utimes(join(checkpoint, old), 1, 1);
  await autoqnn(model, options).fineTune({ steps: 40, checkpoint }).run();
  expect(await files()).toEqual([fresh, name]);
});

test("work that is done forgets what it kept itself, and leaves what others keep in the process", async () => {
  const own = { checkpoint: undefined };
  await stopped("tune", own);
  await autoqnn(model, options).learnPrecision({ steps: 2, trialSteps: 1 }).fineTune({ steps: 2 }).generate();
  await pretrain(smallNetwork(), data, { steps: 2, batchSize: 32 });
  expect(await stopped("tune", own)).toBeGreaterThan(30);
  await autoqnn(model, options).fineTune({ steps: 40 }).run();
  expect(await stopped("tune", own)).toBe(1);
});
