import * as tf from "@tensorflow/tfjs";
import { beforeAll, beforeEach, expect, test } from "vitest";
import { type MimeBundle, type Notebook, serveNotebook } from "../../sdk/display.js";
import { autoqnn, type Batch, type Progress, pretrain, type QuantizedModel, score } from "../../sdk/index.js";
import type { Split } from "../../sdk/train/data.js";
import { blobData, smallNetwork } from "./blobs.js";

let model: tf.LayersModel;
let cell: AbortController;
let shown: MimeBundle[];
const data = blobData();
const options = { data, seed: 5, batchSize: 32 };
/** Called with every bundle that the notebook is told to show. */
let onShown: (bundle: MimeBundle) => void;

beforeAll(() => {
  model = smallNetwork();
  const show = (bundle: MimeBundle): void => {
    shown.push(bundle);
    onShown(bundle);
  };
  const served: Notebook = {
    display: show,
    update: show,
    get signal() {
      return cell.signal;
    },
  };
  serveNotebook(served);
});
beforeEach(() => {
  cell = new AbortController();
  shown = [];
  onShown = () => {};
});

const text = (): string => String(shown.at(-1)!["text/plain"]);
const search = (onProgress?: (progress: Progress) => void, of = data) =>
  autoqnn(model, { ...options, data: of })
    .searchSchemes({ steps: 20, trialSteps: 6, ...(onProgress && { onProgress }) })
    .run();

test("a stage shows its panel in the notebook, and an interrupt of the cell ends it there", async () => {
  onShown = () => cell.abort();
  await expect(search()).rejects.toMatchObject({
    code: "aborted",
    message: expect.stringContaining('"search schemes" was stopped after step 1 of 20.'),
    hint: expect.stringMatching(/^Run the same plan again, on the same data/),
  });
  expect(text()).toContain("search schemes: interrupted after step 1 of 20");
  cell = new AbortController();
  onShown = () => {};
  const { assignment } = await search();
  expect(String(shown.at(-1)!["text/html"])).toContain("search schemes");
  expect(Object.keys(assignment).length).toBeGreaterThan(0);
});

test.each([
  ["in the search", "search schemes", 9],
  ["in a trial after it", "try searched", 2],
])(
  "interrupted %s and run again, it goes on where it was, to the bits of an undisturbed run",
  async (_, stage, at) => {
    const undisturbed = await search(() => {});
    const stop = (progress: Progress): void => {
      if (progress.stage === stage && progress.step >= at) cell.abort();
    };
    await expect(search(stop)).rejects.toMatchObject({ code: "aborted" });
    cell = new AbortController();
    const steps: Record<string, number[]> = {};
    const continued = await search(({ stage, step, ended }) => {
      if (!ended) steps[stage] = [...(steps[stage] ?? []), step];
    });
    expect(Math.min(...(steps["search schemes"] ?? [20]))).toBeGreaterThan(9);
    expect(Math.min(...(steps[stage] ?? []))).toBeGreaterThan(at);
    expect(continued.theta).toEqual(undisturbed.theta);
    expect(continued.snapshot.variables).toEqual(undisturbed.snapshot.variables);
    expect(continued.history.loss).toEqual(undisturbed.history.loss);
  },
);

/** Calls `onMade` with the number of each batch of a training, from 1, as it is made: while the step before it runs. */
function watched(split: Split, onMade: (batch: number) => void): Split {
  return {
    ...split,
    async *batches(options) {
      let made = options.skip ?? 0;
      for await (const batch of split.batches(options)) {
        if (options.dropLast) onMade(++made);
        yield batch;
      }
    },
  };
}

test.each([
  ["first", 0, 1],
  ["second, when the first has moved the weights", 1, 1],
  ["first, between the batches of an update", 0, 2],
])(
  "a step under way is cancelled in its phase, the %s, and nothing of it remains",
  async (_, phase, accumulate) => {
    // The second of the two batches of the second update is made while the first one is summed.
    const [during, whole] = accumulate === 1 ? [5, 3] : [4, 1];
    const turns = (of: typeof data) =>
      autoqnn(model, { ...options, data: of, recipe: { accumulate } })
        .searchSchemes({ steps: 20, trialSteps: 6, update: "turns" })
        .run();
    const undisturbed = await turns(data);
    let stopped = false;
    const halves = (seed: number): readonly [Split, Split] => {
      const parts = data.train.halves(seed);
      const watching = watched(parts[phase]!, (batch) => {
        if (batch === during && !stopped) cell.abort();
      });
      return phase === 0 ? [watching, parts[1]] : [parts[0], watching];
    };
    const of = { ...data, train: { ...data.train, halves } };
    await expect(turns(of)).rejects.toMatchObject({
      code: "aborted",
      message: expect.stringContaining(`was stopped after step ${whole} of 20.`),
    });
    stopped = true;
    cell = new AbortController();
    const continued = await turns(of);
    expect(continued.theta).toEqual(undisturbed.theta);
    expect(continued.snapshot.variables).toEqual(undisturbed.snapshot.variables);
    expect(continued.history.loss).toEqual(undisturbed.history.loss);
  },
);

test("what was interrupted is not continued on other data, nor what came to its end", async () => {
  const steps: number[] = [];
  const count = ({ stage, step }: Progress): void => {
    if (stage === "search schemes") steps.push(step);
  };
  await expect(search(({ step }) => step >= 9 && cell.abort())).rejects.toMatchObject({ code: "aborted" });
  cell = new AbortController();
  await search(count, blobData());
  expect(steps[0]).toBe(1);
  steps.length = 0;
  await search(count);
  expect(steps[0]).toBe(1);
});

test("floating-point training that was interrupted leaves the model as it was, and goes on", async () => {
  const own = smallNetwork();
  const weights = () => own.getWeights().map((weight) => weight.dataSync());
  const before = weights();
  const train = (onProgress: (progress: Progress) => void) =>
    pretrain(own, data, { epochs: 2, batchSize: 32, onProgress });
  await expect(train(({ step }) => step >= 5 && cell.abort())).rejects.toMatchObject({ code: "aborted" });
  expect(weights()).toEqual(before);
  cell = new AbortController();
  const steps: number[] = [];
  await train(({ step }) => steps.push(step));
  expect(steps[0]).toBeGreaterThan(5);
  expect(weights()).not.toEqual(before);
});

/** The cell is interrupted as the third batch is asked for, but not in the first pass, which checks them. */
function interrupting(batches: readonly Batch[]): AsyncIterable<Batch> {
  let passes = 0;
  return {
    async *[Symbol.asyncIterator]() {
      passes += 1;
      for (const [index, batch] of batches.entries()) {
        if (index === 2 && passes > 1) cell.abort();
        yield batch;
      }
    },
  };
}

test.each<[string, (quantized: QuantizedModel, examples: AsyncIterable<Batch>) => Promise<unknown>]>([
  ["evaluation", (quantized, examples) => quantized.evaluate(examples)],
  ["evaluation", (_, examples) => score(model, examples)],
  ["measurement of errors", (quantized, examples) => quantized.errors(model, examples)],
  ["count of confusions", (quantized, examples) => quantized.confusion(examples)],
  ["calibration", (_, train) => autoqnn(model, { data: { train } }).generate()],
])("the %s ends when the cell is interrupted, and leaves nothing behind", async (what, work) => {
  const quantized = await autoqnn(model).generate();
  const batches: Batch[] = [];
  for await (const batch of data.test.batches({ batchSize: 8 })) batches.push(batch);
  const before = tf.memory().numTensors;
  await expect(work(quantized, interrupting(batches))).rejects.toMatchObject({
    code: "aborted",
    message: expect.stringContaining(`The ${what} was stopped after 16 examples.`),
  });
  expect(tf.memory().numTensors).toBe(before);
  for (const { x, y } of batches) tf.dispose([x, y]);
});

test("a signal stops what is measured before a stage, and for packing", async () => {
  const start = autoqnn(model, options);
  const signal = AbortSignal.abort();
  for (const work of [() => start.fineTune({ steps: 1, signal }).run(), () => start.generate({ signal })])
    await expect(work()).rejects.toMatchObject({
      code: "aborted",
      message: expect.stringContaining("The calibration was stopped after 0 examples."),
    });
  await start.generate({ batchNormalization: "keep" });
  for (const [how, what] of [
    [{ batchNormalization: "reestimate" }, "re-estimation of batch normalization"],
    [{ biasCorrection: true }, "correction of biases"],
  ] as const)
    await expect(start.generate({ ...how, signal })).rejects.toMatchObject({
      code: "aborted",
      message: expect.stringContaining(`The ${what} was stopped after 0 examples.`),
    });
});

test("watchers are told how a stage ended, and see what it recorded", async () => {
  const seen: Progress[] = [];
  const views: { steps: number; loss: number; rows: number; width: number }[] = [];
  const watch = (progress: Progress): void => {
    seen.push(progress);
    const { history, rows } = progress.view!();
    const { row, data: theta } = history.traces.theta ?? { row: [0], data: [] };
    views.push({
      ...{ steps: history.steps, loss: history.loss.length, rows: rows.length },
      width: theta.length / (row.reduce((product, size) => product * size, 1) * history.steps),
    });
    if (progress.step >= 9) cell.abort();
  };
  await expect(search(watch)).rejects.toMatchObject({ code: "aborted" });
  expect(seen.at(-1)!.ended).toBe("interrupted");
  expect(seen.slice(0, -1).every(({ ended }) => ended === undefined)).toBe(true);
  expect(new Set(seen.map(({ view }) => view)).size).toBe(1);
  for (const [i, { steps, loss, rows, width }] of views.entries()) {
    expect([steps, loss]).toEqual([seen[i]!.step, seen[i]!.step]);
    expect([rows > 0, width]).toEqual([true, 1]);
  }
});

test("an error of the watcher comes through, once", async () => {
  let calls = 0;
  const broken = (): void => {
    calls += 1;
    throw new Error("mine");
  };
  await expect(search(broken)).rejects.toThrow("mine");
  expect(calls).toBe(1);
});
