import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { autoqnn, load, type Progress, pretrain } from "../../sdk/index.js";
import { blobData, smallNetwork } from "./blobs.js";

let model: tf.LayersModel;
let directory: string;
const data = blobData();
const options = { data, seed: 5, batchSize: 32 };

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "plan-"));
  model = smallNetwork();
  await pretrain(model, data, { epochs: 12, batchSize: 32, learningRate: 0.01 });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const short = () =>
  autoqnn(model, options)
    .searchSchemes({ steps: 8 })
    .learnPrecision({ steps: 8, trialSteps: 3, budget: { averageBits: 2 } })
    .fineTune({ steps: 8, reestimate: 3 });

/** Name and content of every file below a directory. */
async function bytesOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).sort();
  const contents = await Promise.all(names.map((name) => readFile(join(folder, name), "base64")));
  return Object.fromEntries(names.map((name, i) => [name, contents[i]!]));
}

test("the chain keeps the budget, learns, and its artifact predicts the same after loading", async () => {
  const plan = autoqnn(model, options)
    .searchSchemes({ epochs: 2 })
    .learnPrecision({ epochs: 3, budget: { averageBits: 2 } })
    .fineTune({ epochs: 8, learningRate: 0.01 });
  const quantized = await plan.generate();
  expect(quantized.sizes.averageBits.weights).toBeLessThanOrEqual(2);
  expect(quantized.sizes.averageBits.activations).toBeLessThanOrEqual(2);
  // Chance is 1/3; the floating-point network is near 1.
  expect((await quantized.evaluate(data.test)).accuracy).toBeGreaterThan(0.8);

  await quantized.save(join(directory, "artifact"));
  const same = await load(join(directory, "artifact"));
  const x = tf.randomUniform([5, 6, 6, 1], 0, 1, "float32", 4);
  const [ours, theirs] = [quantized.predict(x) as tf.Tensor, same.predict(x) as tf.Tensor];
  expect(theirs.dataSync()).toEqual(ours.dataSync());
});

test("same plan, same seed: the same artifact, byte for byte", async () => {
  await (await short().generate()).save(join(directory, "first"));
  await (await short().generate()).save(join(directory, "second"));
  expect(await bytesOf(join(directory, "second"))).toEqual(await bytesOf(join(directory, "first")));
});

test("a run that was stopped continues, and ends with the bits of an undisturbed one", async () => {
  const undisturbed = await autoqnn(model, options).searchSchemes({ steps: 20 }).run();
  const checkpoint = join(directory, "checkpoints");
  const stop = new AbortController();
  const stopped = autoqnn(model, options)
    .searchSchemes({
      steps: 20,
      checkpoint,
      signal: stop.signal,
      onProgress: ({ step }: Progress) => step >= 9 && stop.abort(),
    })
    .run();
  await expect(stopped).rejects.toMatchObject({ name: "AutoqnnError", code: "aborted" });
  const steps: number[] = [];
  const continued = await autoqnn(model, options)
    .searchSchemes({
      steps: 20,
      checkpoint,
      onProgress: ({ stage, step }) => stage === "search schemes" && steps.push(step),
    })
    .run();
  expect(Math.min(...steps)).toBeGreaterThan(9);
  expect(continued.theta).toEqual(undisturbed.theta);
  expect(continued.snapshot.variables).toEqual(undisturbed.snapshot.variables);
  expect(continued.history.loss).toEqual(undisturbed.history.loss);
  expect(continued.observed).toEqual(undisturbed.observed);
});

test("plans that share a beginning run it once", async () => {
  let starts = 0;
  const searched = autoqnn(model, options).searchSchemes({
    steps: 3,
    onProgress: ({ stage, step }) => (starts += Number(stage === "search schemes" && step === 1)),
  });
  const first = await searched.run();
  await searched.fineTune({ steps: 2, reestimate: 1 }).generate();
  await first.fineTune({ steps: 2, reestimate: 1 }).generate();
  expect(starts).toBe(1);
});

test("stage results are plain data with a picture and a text", async () => {
  const searched = await autoqnn(model, options).searchSchemes({ steps: 4, granularity: "model" }).run();
  expect(Object.keys(searched)).not.toContain("learnPrecision");
  expect(String(searched)).toMatch(/one\/kernel/);
  expect(searched.plot().data.length).toBeGreaterThan(0);
  // One choice for the whole model: every weight has the same scheme.
  const weights = Object.entries(searched.assignment).filter(([id]) => id.endsWith("kernel"));
  expect(new Set(weights.map(([, { scheme }]) => scheme)).size).toBe(1);
});

test("weights and theta can take turns on two halves of the data", async () => {
  const together = await autoqnn(model, options).searchSchemes({ steps: 5 }).run();
  const turns = await autoqnn(model, options).searchSchemes({ steps: 5, update: "turns" }).run();
  expect(turns.theta).not.toEqual(together.theta);
  expect(turns.history.traces.theta!.data.some((value) => value !== 0)).toBe(true);
});

test("fine-tuning takes the author's piecewise linear gradients", async () => {
  const pin = { "*": { bits: 2 } };
  const straight = await autoqnn(model, { ...options, pin })
    .fineTune({ steps: 6 })
    .run();
  const linear = await autoqnn(model, { ...options, pin })
    .fineTune({ steps: 6, gradient: { rule: "pwl", ratio: 0.5 } })
    .run();
  // The first batch's outputs are nearer to those in floating point.
  expect(linear.history.loss[0]).toBeLessThan(straight.history.loss[0]!);
});

test("a stage whose last step overflows says so, and where", async () => {
  const plan = autoqnn(model, options).searchSchemes({ steps: 1, learningRate: { weights: 1e39 } });
  await expect(plan.run()).rejects.toThrow(/finite numbers after the last step of .*kernel/);
});

test("several bitwidths at once are searched within the budget", async () => {
  const quantized = await autoqnn(model, options)
    .searchSchemes({ steps: 6, bits: [1, 2, 3, 4], budget: { averageBits: 2, modelSize: "16x" } })
    .generate();
  expect(quantized.sizes.averageBits.weights).toBeLessThanOrEqual(2);
  expect(quantized.sizes.packedBytes * 16).toBeLessThanOrEqual(quantized.sizes.fp32Bytes);
});

test("without data the weights are quantized and the inputs named as left alone", async () => {
  const quantized = await autoqnn(model).generate();
  expect(Object.keys(quantized.assignment).sort()).toEqual(["classes/kernel", "one/kernel", "two/kernel"]);
  expect(quantized.assignment["one/kernel"]).toEqual({ scheme: "fixed", bits: 8 });
  const x = tf.randomUniform([20, 6, 6, 1], 0, 1, "float32", 4);
  const exact = (model.predict(x) as tf.Tensor).argMax(1).dataSync();
  const close = (quantized.predict(x) as tf.Tensor).argMax(1).dataSync();
  expect(close.filter((label, i) => label === exact[i]).length).toBeGreaterThanOrEqual(19);
});

test("nodes can be excluded and pinned by name", async () => {
  const plan = autoqnn(model, { ...options, exclude: ["one/*"], pin: { "classes/*": { bits: 4 } } });
  const quantized = await plan
    .learnPrecision({ steps: 3, trialSteps: 1, budget: { averageBits: 3 } })
    .generate();
  expect(Object.keys(quantized.assignment)).not.toContain("one/kernel");
  expect(quantized.assignment["classes/kernel"]?.bits).toBe(4);
});

describe("what cannot work is refused before training", () => {
  const never = { onProgress: () => expect.unreachable("training started") };

  test("no data", async () => {
    await expect(autoqnn(model).searchSchemes().run()).rejects.toThrow(/Expected data/);
  });

  test("re-estimation without data, and a way that is none", async () => {
    const plan = autoqnn(model);
    await expect(plan.generate({ batchNormalization: "reestimate" })).rejects.toThrow(
      /Expected data to re-estimate/,
    );
    await expect(plan.generate({ batchNormalization: "drop" as "fold" })).rejects.toThrow(
      /keep, fold, reestimate/,
    );
  });

  test("a budget out of reach, with the nearest one that can be met, even behind other stages", async () => {
    const plan = autoqnn(model, options)
      .searchSchemes({ steps: 5, ...never })
      .learnPrecision({ budget: { modelSize: 10 } });
    await expect(plan.generate()).rejects.toMatchObject({ code: "infeasible-budget" });
    await expect(plan.generate()).rejects.toThrow(/\d+ bytes/);
  });

  test("weights that are not numbers", () => {
    const broken = smallNetwork();
    broken.getLayer("two").setWeights([tf.fill([3, 3, 6, 8], Number.NaN), tf.zeros([8])]);
    expect(() => autoqnn(broken, options)).toThrow(/two\/kernel/);
  });

  test("labels out of range", async () => {
    const batch = { x: tf.zeros([4, 6, 6, 1]), y: tf.tensor1d([0, 1, 2, 3], "int32") };
    const plan = autoqnn(model, { data: { train: [batch] } }).fineTune({ steps: 2, ...never });
    await expect(plan.run()).rejects.toThrow(/labels from 0 to 2/);
  });

  test("a scheme that a node cannot take", async () => {
    const plan = autoqnn(model, options).searchSchemes({ candidates: ["binary"], steps: 2, ...never });
    await expect(plan.run()).rejects.toThrow(/range-aware/);
  });
});

test("what a stage ended with can be asked for the worth of its bits, under its own budget", async () => {
  const learned = await autoqnn(model, options)
    .learnPrecision({ steps: 4, trialSteps: 2, budget: { modelSize: 200 } })
    .run();
  const table = await learned
    .fineTune({ steps: 2, reestimate: 1 })
    .run()
    .then((tuned) => tuned.sensitivity({ examples: 64 }));
  expect(table.rows.map(({ node }) => node)).toEqual(learned.nodes);
  expect(Object.keys(table)).not.toContain("prices");
  expect(String(table)).toMatch(/64 held-out examples[\s\S]*one\/kernel/);
  const prices = table.prices();
  expect(prices.exchange).toMatchObject([{ limit: "model size", allowed: 200 }]);
  expect(String(prices)).toMatch(/one more bit at[\s\S]*one\/kernel/);
  await expect(learned.sensitivity({ examples: 0 })).rejects.toMatchObject({ code: "bad-option" });
});

test("bitwidths can be rounded by measured sensitivity alone, within the budget and without learning", async () => {
  const run = await autoqnn(model, options)
    .learnPrecision({ steps: 6, budget: { modelSize: 200 }, roundings: ["sensitivity"] })
    .run();
  expect(run.history.steps).toBe(0);
  expect(run.chosen).toBe("sensitivity");
  const { nodes } = run.graph;
  const size = nodes.reduce((sum, { id, kind, elements }) => {
    return sum + (kind === "weight" ? elements * run.assignment[id]!.bits : 0);
  }, 0);
  expect(size).toBeLessThanOrEqual(1600);
  // A limit on weights says nothing of inputs: they keep all the bits there are.
  for (const { id, kind } of nodes) if (kind === "input") expect(run.assignment[id]!.bits).toBe(8);
});

test("by option a stage gives its assignment alone: what follows begins with the weights that it began with", async () => {
  const plan = autoqnn(model, options);
  const weights = (run: { snapshot: { variables: Record<string, { data: ArrayLike<number> }> } }) =>
    model.weights.map(({ originalName }) => Array.from(run.snapshot.variables[originalName]!.data));
  const given = await Promise.all(
    model.weights.map(async (weight) => Array.from(await weight.read().data())),
  );
  const alone = { steps: 4, restart: true } as const;
  const searched = await plan.searchSchemes({ ...alone, control: false }).run();
  const learned = await plan.learnPrecision({ ...alone, roundings: ["gamma 1"] }).run();
  expect(weights(searched)).toEqual(given);
  expect(weights(learned)).toEqual(given);
  expect(learned.history.steps).toBe(4);
  const onwards = await plan.learnPrecision({ steps: 4, roundings: ["gamma 1"] }).run();
  expect(weights(onwards)).not.toEqual(given);
});

test("a search that keeps clip leaves no trace in what follows", async () => {
  const plan = autoqnn(model, options);
  const steps = { steps: 4, trialSteps: 2 } as const;
  const searched = await plan.searchSchemes({ ...steps, margin: 1 }).run();
  expect(searched.chosen).toBe("control");
  const [after, alone] = await Promise.all(
    [searched, plan].map((from) => from.learnPrecision({ ...steps, roundings: ["gamma 1"] }).run()),
  );
  expect(after!.history.loss).toEqual(alone!.history.loss);
  expect(after!.learned).toEqual(alone!.learned);
  expect(after!.snapshot.variables).toEqual(alone!.snapshot.variables);
  // What the search itself leaves is trained, and fit to be used as it is.
  expect(searched.snapshot.variables).not.toEqual(searched.handedOn!.variables);
});

test("what was searched is kept only where it beats clip by the margin, and else the result says so", async () => {
  // With this seed what was searched is better than clip, by less than the greatest margin.
  const plan = autoqnn(model, { ...options, seed: 1 });
  const searchedWith = (margin: number) => plan.searchSchemes({ steps: 4, margin }).run();
  const lossOf = (run: Awaited<ReturnType<typeof searchedWith>>, name: string): number =>
    run.trials.find((trial) => trial.name === name)!.validation!.loss;
  const free = await searchedWith(0);
  const [searched, control] = [lossOf(free, "searched"), lossOf(free, "control")];
  expect(free.chosen).toBe(searched <= control ? "searched" : "control");
  const strict = await searchedWith(1);
  expect(strict.chosen).toBe(2 * searched <= control ? "searched" : "control");
  expect(lossOf(strict, "searched")).toBe(searched);
  const overruled = strict.chosen === "control" && searched < control;
  expect(/kept control: the other is not better by the margin/.test(String(strict))).toBe(overruled);
});
