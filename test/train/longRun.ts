import { setTimeout } from "node:timers/promises";
import { lsq } from "../../reproduce/baselines/lsq.js";
import { trainBaseline } from "../../reproduce/baselines/train.js";
import { autoqnn, engine, type Progress, pretrain } from "../../sdk/index.js";
import { fingerprint } from "../../sdk/train/checkpoint.js";
import type { Batch, BatchOptions, Split } from "../../sdk/train/data.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

/** One training of every kind, all at once, with checkpoints in a directory where one is named; prints digests of the results. */
const [checkpoint] = process.argv.slice(2);

/** The training data take their time, so that a signal finds the training within an epoch. */
const data = () => {
  const own = blobData();
  async function* batches(options: BatchOptions): AsyncGenerator<Batch> {
    for await (const batch of own.train.batches(options)) {
      if (checkpoint && options.epoch !== undefined) await setTimeout(4);
      yield batch;
    }
  }
  const train: Split = { ...own.train, batches };
  return { ...own, train };
};

const begun = new Set<string>();
const onProgress = ({ stage, step }: Progress): void => {
  if (!begun.has(stage)) console.log(`begun ${stage} at ${step}`);
  begun.add(stage);
};
const watch = { onProgress, ...(checkpoint && { checkpoint }) };
const plan = () => autoqnn(smallNetwork(), { data: data(), seed: 5, batchSize: 32 });

await engine();
const floating = smallNetwork();

const results = await Promise.all([
  pretrain(floating, data(), { steps: 240, batchSize: 32, ...watch }),
  plan()
    .searchSchemes({ steps: 60, trialSteps: 30, update: "turns", ...watch })
    .run(),
  plan()
    .learnPrecision({
      ...{ steps: 60, trialSteps: 30, budget: { averageBits: 2.6 }, learningRate: { bits: 0.1 } },
      ...watch,
    })
    .run(),
  plan()
    .fineTune({ steps: 240, ...watch })
    .run(),
  trainBaseline(smallNetwork(), lsq, {
    ...{ data: data(), seed: 5, bits: 2, steps: 240, batchSize: 32, learningRate: 0.01, ...watch },
  }),
]);
const weights = floating.getWeights().map((weight) => weight.dataSync());
for (const result of [weights, ...results]) {
  console.log(`digest ${fingerprint(JSON.parse(JSON.stringify(result, timeless)))}`);
}

/** Everything but how long it took. */
function timeless(key: string, value: unknown): unknown {
  return key === "seconds" ? undefined : value;
}
