import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AutoqnnOptions, autoqnn, type Batch, type Progress, pretrain } from "../../sdk/index.js";
import { blobData, smallNetwork } from "./blobs.js";

type Recipe = NonNullable<AutoqnnOptions["recipe"]>;

let model: tf.LayersModel;
let directory: string;
const data = blobData();
const sgd = { optimizer: { name: "sgd", momentum: 0 }, warmup: 0, decay: "constant" } as const;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "recipe-"));
  model = smallNetwork();
  await pretrain(model, data, { epochs: 6, batchSize: 32, learningRate: 0.01 });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** The trained weights after some steps of fine-tuning at two bits, one array after the other. */
async function weights(
  recipe: Recipe,
  { steps = 1, train = data.train as object, learningRate = 0.05 } = {},
) {
  const plan = autoqnn(model, {
    ...{ data: { ...data, train } as typeof data, seed: 5, batchSize: 32, recipe },
    pin: { "*": { bits: 2 } },
  });
  const { snapshot } = await plan.fineTune({ steps, learningRate, reestimate: 1 }).run();
  const trained = Object.entries(snapshot.variables).filter(([name]) => !name.includes("moving"));
  return trained.flatMap(([, { data: values }]) => [...values]);
}

const start = () => model.trainableWeights.flatMap((weight) => [...weight.read().dataSync()]);
const distance = (a: readonly number[], b: readonly number[]) => Math.hypot(...a.map((x, i) => x - b[i]!));

test("a gradient longer than allowed is shortened to that length, a shorter one left as it is", async () => {
  const free = await weights({ ...sgd });
  const length = distance(free, start()) / 0.05;
  expect(length).toBeGreaterThan(0.01);
  const clipped = await weights({ ...sgd, clipNorm: length / 4 });
  expect(distance(clipped, start()) / 0.05).toBeCloseTo(length / 4, 3);
  expect(await weights({ ...sgd, clipNorm: length * 4 })).toEqual(free);
});

test("a stage ends with the running mean of the weights", async () => {
  const moved = await weights({ ...sgd });
  expect(distance(moved, start())).toBeGreaterThan(1e-3);
  const averaged = await weights({ ...sgd, averageWeights: 0.99 });
  // After the first step the mean gives the start a tenth.
  for (const [i, first] of start().entries())
    expect(averaged[i]).toBeCloseTo(0.1 * first + 0.9 * moved[i]!, 5);
});

/** The training batches with other labels. */
const relabelled = {
  ...data.train,
  async *batches(options: Parameters<typeof data.train.batches>[0]): AsyncGenerator<Batch> {
    for await (const { x, y } of data.train.batches(options)) {
      yield { x, y: tf.tidy(() => tf.mod(tf.add(y, 1), 3).toInt()) as Batch["y"] };
      y.dispose();
    }
  },
};

test("a network that learns from its teacher alone does not look at labels; one that learns from both does", async () => {
  const taught = { ...sgd, distillation: { weight: 1 } };
  expect(await weights(taught, { train: relabelled })).toEqual(await weights(taught));
  const both = { ...sgd, distillation: { weight: 0.5 } };
  expect(await weights(both, { train: relabelled })).not.toEqual(await weights(both));
});

test("a network in floating point that learns from itself has nothing to learn", async () => {
  const layers = [
    tf.layers.flatten({ inputShape: [6, 6, 1] }),
    tf.layers.dense({ units: 8, activation: "relu" }),
    tf.layers.dense({ units: 3, activation: "softmax" }),
  ];
  const recipe = { ...sgd, distillation: { weight: 1 } };
  const plan = autoqnn(tf.sequential({ layers }), { data, seed: 5, exclude: ["*"], recipe });
  const { history } = await plan.fineTune({ steps: 3, reestimate: 1 }).run();
  for (const loss of history.loss) expect(loss).toBeCloseTo(0, 5);
});

test("with everything switched on, a stage that was stopped goes on to the bits of an undisturbed one", async () => {
  const recipe: Recipe = {
    optimizer: { name: "sgd", momentum: 0.9, nesterov: true },
    ...{ weightDecay: 1e-3, clipNorm: 1, labelSmoothing: 0.1, averageWeights: 0.9, scaleRate: 0.1 },
    accumulate: 2,
    ...{ distillation: { weight: 0.5, temperature: 3 }, decay: { milestones: [0.5], factor: 0.1 } },
  };
  const plan = (watch: object) =>
    autoqnn(model, { data, seed: 5, batchSize: 32, recipe, pin: { "*": { bits: 2 } } }).fineTune({
      ...{ steps: 20, learningRate: 0.02, reestimate: 2 },
      ...watch,
    });
  const undisturbed = await plan({}).run();
  expect(undisturbed.validation!.accuracy).toBeGreaterThan(0.8);
  const stop = new AbortController();
  const onProgress = ({ step }: Progress) => step >= 9 && stop.abort();
  await expect(plan({ checkpoint: directory, signal: stop.signal, onProgress }).run()).rejects.toMatchObject({
    code: "aborted",
  });
  const continued = await plan({ checkpoint: directory }).run();
  expect(continued.snapshot).toEqual(undisturbed.snapshot);
  expect(continued.history.loss).toEqual(undisturbed.history.loss);
});

describe("what makes no recipe is refused by name", () => {
  test.each<[string, object, RegExp]>([
    ["an unknown optimizer", { optimizer: "lamb" }, /optimizer/],
    ["momentum of Adam", { momentum: 0.9 }, /momentum/],
    ["milestones behind the end", { decay: { milestones: [2], factor: 0.1 } }, /milestones/],
    ["smoothing that leaves nothing", { labelSmoothing: 1 }, /labelSmoothing/],
  ])("%s", (_, recipe, message) => {
    expect(() => autoqnn(model, { data, recipe: recipe as Recipe })).toThrow(message);
  });
});
