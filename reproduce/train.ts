import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { engine, pretrain, score, type tf } from "../sdk/index.js";
import { dataOf, fewer, type Places } from "./data.js";
import { FLOATING, type Outcome } from "./experiment.js";
import { methodOf } from "./methods/index.js";
import type { Measured, Protocol } from "./methods/method.js";
import { floatingNetwork } from "./models/floating.js";
import type { Job } from "./outcomes.js";
import type { Workload } from "./scales.js";

/** What a process that trains is told once. */
export interface Setting {
  readonly places: Places;
  /** For networks in floating point and for checkpoints. */
  readonly directory: string;
  readonly workloads: readonly Workload[];
}

/** A network in floating point, trained or read: what all methods with that seed start from. */
export async function start(
  { places, directory, workloads }: Setting,
  { network, seed }: Pick<Job, "network" | "seed">,
) {
  const workload = workloads.find((own) => own.network === network);
  if (!workload) throw new Error(`Expected a network of this scale, received "${network}".`);
  // Started first, so that the network is built where it is trained.
  await engine();
  const data = fewer(await dataOf(workload.data, places), workload.images);
  const { batchSize, startEpochs: epochs, startRate, recipe } = workload;
  const model = await floatingNetwork(workload.network, data, {
    ...{ seed, epochs, batchSize, directory: join(directory, "starts") },
    ...(startRate !== undefined && { learningRate: startRate }),
    ...(recipe && { recipe }),
  });
  return { workload, data, model };
}

/** Trains one network, or goes on where that was stopped, and measures it. */
export async function train(setting: Setting, job: Job): Promise<Outcome> {
  const { workload, data, model } = await start(setting, job);
  const { batchSize, epochs, recipe } = workload;
  const steps = Math.max(1, Math.round((epochs * data.train.size) / batchSize));
  const protocol: Protocol = {
    ...{ data, seed: job.seed, bits: job.bits, steps, learningRate: job.rate, batchSize },
    ...(recipe && { recipe }),
    watch: { checkpoint: checkpointOf(setting, job) },
  };
  const resumed = existsSync(checkpointOf(setting, job));
  const [begun, used, { device }] = [performance.now(), process.cpuUsage(), await engine()];
  const method = job.method === FLOATING ? undefined : methodOf(job.method);
  const measured = method ? await method.run(model, protocol) : await furtherInFloatingPoint(model, protocol);
  return {
    ...job,
    ...{ steps, ...measured },
    ...(resumed && { resumed }),
    seconds: (performance.now() - begun) / 1000,
    ...(device === "cpu" && { processorSeconds: secondsOf(process.cpuUsage(used)) }),
  };
}

const secondsOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;

/** Where a network keeps its checkpoints until its outcome is written. */
const checkpointOf = ({ directory }: Setting, { network, method, bits, seed, rate }: Job): string =>
  join(
    directory,
    "checkpoints",
    `${network}-${method.replaceAll(/[^a-zA-Z0-9]+/g, "-")}-${bits}-${seed}-${rate}`,
  );

/** Removes what a network kept, once its outcome is written. */
export const forget = (setting: Setting, job: Job): Promise<void> =>
  rm(checkpointOf(setting, job), { recursive: true, force: true });

/** The network in floating point trained on for as many steps as the others. */
async function furtherInFloatingPoint(
  model: tf.LayersModel,
  { data, seed, steps, learningRate, batchSize, recipe, watch }: Protocol,
): Promise<Measured> {
  const { history } = await pretrain(model, data, {
    ...{ seed, steps, learningRate, ...watch },
    ...(batchSize !== undefined && { batchSize }),
    ...(recipe && { recipe }),
  });
  return {
    validation: await score(model, data.validation),
    test: await score(model, data.test),
    bytes: model.countParams() * 4,
    averageBits: { weights: 32, activations: 32 },
    stages: [
      { name: FLOATING, seconds: history.seconds, stepMilliseconds: (1000 * history.seconds) / steps },
    ],
  };
}
