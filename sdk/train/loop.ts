import * as tf from "@tensorflow/tfjs";
import type { Engine } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { advance } from "./advance.js";
import type { Checkpoint } from "./checkpoint.js";
import type { BatchOptions, Source } from "./data.js";
import { Feed } from "./feed.js";
import { diagnose } from "./health/diagnose.js";
import type { Finding } from "./health/finding.js";
import { Keeper } from "./keeper.js";
import type { Memory } from "./kept.js";
import type { Optimizer } from "./optimizers.js";
import { doesNotFit, isOutOfMemory } from "./outOfMemory.js";
import type { Policy } from "./policy.js";
import type { OnProgress } from "./progress.js";
import type { Recipe } from "./recipe.js";
import { Recorder } from "./recorder.js";
import type { Relaxation } from "./relax.js";
import { Reporter } from "./reporter.js";
import type { History, Observed } from "./run.js";
import type { Schedule } from "./schedule.js";
import { type HostTensor, type Snapshot, toHost } from "./snapshot.js";
import { prefixed, snapshotOf, under } from "./state.js";
import { averaged, initialState, Stepper } from "./stepper.js";
import { isAborted } from "./stopped.js";

/** Parameters that are updated together: "weights" (all trainable variables), "scale", or a policy's own. */
export interface Update {
  readonly parameters: string;
  readonly schedule: Schedule;
  /** Absent: the recipe's for the weights, Adam for all else. */
  readonly optimizer?: Optimizer;
}

/** Some updates and the examples they learn from. Several phases take turns within every step, each with its own batches. */
export interface Phase {
  readonly updates: readonly Update[];
  readonly source: Source;
}

/** One stage of training, wholly described. */
export interface Stage {
  readonly name: string;
  readonly graph: QuantizedGraph;
  readonly engine: Engine;
  readonly snapshot: Snapshot;
  readonly policy: Policy;
  readonly recipe: Recipe;
  /** The floating-point network to learn from, where the recipe says so. */
  readonly teacher?: Snapshot["variables"];
  readonly phases: readonly Phase[];
  readonly steps: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly augment?: BatchOptions["augment"];
  /** Whether its nodes are watched for faults; trials, which are short, are not. */
  readonly diagnosed?: boolean;
  /** How the stage trains through its staircases; straight through when absent. */
  readonly relaxation?: Relaxation;
}

/** How a caller watches, stops and resumes a stage. */
export interface Watch {
  readonly signal?: AbortSignal;
  readonly onProgress?: OnProgress;
  /** The directory where the stage keeps its checkpoints; the same stage run again continues from the last. */
  readonly checkpoint?: string;
  /** Where this process keeps the stage that has no such directory. */
  readonly memory?: Memory;
}

export interface Trained {
  readonly snapshot: Snapshot;
  /** Final values of the policy's parameters. */
  readonly parameters: Readonly<Record<string, HostTensor>>;
  readonly history: History;
  readonly health: readonly Finding[];
  readonly observed?: Observed;
}

/**
 * The training loop of every stage: floating point, search, learning, fine-tuning.
 *
 * A step runs each phase as one compiled function, once for each batch of its update; while it runs, the next batch is
 * prepared. The result is a pure function of the stage (and of the machine's arithmetic), whether or not the run was
 * interrupted and resumed: data, their augmentation and all noise are functions of the seed and the step.
 *
 * With a checkpoint directory the stage is kept at the end of every epoch, within long ones every twenty seconds, and at its
 * end. When `signal` fires, the step under way is cancelled and does not count; then the stage is kept, there or, for this
 * process, in memory. The same stage run again goes on from what was kept; one that had ended is not run again.
 *
 * Throws AutoqnnError `aborted` when `signal` fires, `bad-data` when the loss or what was trained is not finite, `bad-file` when
 * what was kept is damaged or another stage's, and `out-of-memory`, with batches that should fit, when a step does not; the stage
 * is kept then too.
 */
export async function train(stage: Stage, watch: Watch = {}): Promise<Trained> {
  const { steps } = stage;
  const initial = initialState(stage);
  const keeper = new Keeper(stage, initial, watch);
  const saved = await keeper.read();
  return saved?.meta.done === steps
    ? ended(stage, saved)
    : trainOn(stage, watch, keeper, saved ?? { tensors: prefixed("state/", initial), meta: {} });
}

/** Trains from a state to the stage's end. */
async function trainOn(stage: Stage, watch: Watch, keeper: Keeper, from: Checkpoint): Promise<Trained> {
  const { steps, policy } = stage;
  const parameterNames = Object.keys(policy.parameters);
  const traced = parameterNames.map((name) => `parameter/${name}`);
  const rows = new Recorder(stage, parameterNames, from.tensors);
  const stepper = new Stepper(stage, under(from.tensors, "state/"));
  let done = Number(from.meta.done ?? 0);
  let seconds = Number(from.meta.seconds ?? 0);
  const { accumulate } = stage.recipe;
  const feeds = stage.phases.map((phase) => new Feed(phase.source, stage, done * accumulate));
  /** How many epochs `steps` are; whole numbers divide exactly, so that it is whole where an epoch ends with a step. */
  const epochsIn = (steps: number): number => (steps * accumulate) / feeds[0]!.perEpoch;

  const now = (state: Readonly<Record<string, HostTensor>>): Checkpoint => ({
    tensors: { ...prefixed("state/", state), ...rows.tensors(done) },
    meta: { done, seconds },
  });
  const reporter = new Reporter(stage, watch, rows, done, epochsIn);
  const { signal } = watch;
  /** Every phase once and, at some steps, a look at the nodes with the examples of the first. */
  const step = async (t: number): Promise<void> => {
    let seen: tf.Tensor | undefined;
    try {
      for (const [index, feed] of feeds.entries()) {
        const leads = index === 0;
        const request = { phase: index, t, batches: accumulate, first: leads && rows.looksAfter(t), signal };
        const { first, gradients, ...batch } = await advance(stepper, feed, request);
        seen = first ?? seen;
        const values = stepper.read(traced);
        await rows.record(t - 1, leads ? batch : undefined, values, gradients);
        tf.dispose([values, gradients]);
      }
      if (!seen) return;
      const looks = await stepper.look(t, seen, signal);
      await rows.recordLooks(t, looks);
      tf.dispose(looks);
    } finally {
      seen?.dispose();
    }
  };
  try {
    while (done < steps) {
      const t = done + 1;
      const begun = performance.now();
      const stopped = signal?.aborted || (await cancelled(() => stepper.whole(() => step(t))));
      if (stopped) {
        await keeper.keep(now(await hostOf(stepper)));
        throw aborted(stage.name, done, steps, keeper.directory);
      }
      done = t;
      if (rows.looksAfter(t)) reporter.found(diagnose(stage, done, rows.history(), rows.observed(done)));
      seconds += (performance.now() - begun) / 1000;
      rows.checkFinite(done - 1, stage.name);
      reporter.step(done);
      const epochEnds = Math.floor(epochsIn(done)) > Math.floor(epochsIn(done - 1));
      if (done < steps && keeper.due(epochEnds)) await keeper.keep(now(await hostOf(stepper)));
    }
    const final = await hostOf(stepper);
    refuseDiverged(final, stage.name);
    const last = now(lasting(final));
    await keeper.keep(last, true);
    return ended(stage, last);
  } catch (error) {
    reporter.ended(isAborted(error) ? "interrupted" : "failed", done);
    if (!isOutOfMemory(error)) throw error;
    // The step that failed did not count: the stage stands where it was before.
    if (done > 0) await keeper.keep(now(await hostOf(stepper)));
    throw doesNotFit(stage, done, keeper.directory, error);
  } finally {
    stepper.dispose();
    for (const feed of feeds) await feed.close();
  }
}

/** What a stage gives that has come to its end. */
function ended(stage: Stage, { tensors, meta }: Checkpoint): Trained {
  const { steps, graph, snapshot, policy, diagnosed } = stage;
  const names = Object.keys(policy.parameters);
  const rows = new Recorder(stage, names, tensors);
  const state = under(tensors, "state/");
  const observed = rows.observed(steps);
  return {
    snapshot: snapshotOf(graph, snapshot.signed, state),
    parameters: Object.fromEntries(names.map((name) => [name, state[`parameter/${name}`]!])),
    history: { ...rows.history(), seconds: Number(meta.seconds) },
    ...(diagnosed ? { observed, health: diagnose(stage, steps, rows.history(), observed) } : { health: [] }),
  };
}

/** What is left of a state when training is over: running means in the place of what they are means of, and no slots. */
function lasting(final: Readonly<Record<string, HostTensor>>): Record<string, HostTensor> {
  const kinds = ["variable/", "statistics/", "parameter/"];
  const entries = Object.entries(averaged(final));
  return Object.fromEntries(entries.filter(([key]) => kinds.some((kind) => key.startsWith(kind))));
}

/** Whether the work was cancelled on its way. */
async function cancelled(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return false;
  } catch (error) {
    if (isAborted(error)) return true;
    throw error;
  }
}

async function hostOf(stepper: Stepper): Promise<Record<string, HostTensor>> {
  const state = stepper.read();
  try {
    return await toHost(state);
  } finally {
    tf.dispose(state);
  }
}

/** The loss of a step is that before its update: what the last update made shows only here. */
function refuseDiverged(state: Readonly<Record<string, HostTensor>>, stage: string): void {
  for (const [key, { data }] of Object.entries(state)) {
    if (!/^(variable|parameter)\//.test(key)) continue;
    const at = data.findIndex((value) => !Number.isFinite(value));
    if (at < 0) continue;
    throw new AutoqnnError(
      "bad-data",
      `Expected finite numbers after the last step of "${stage}", received ${data[at]} at ${key}, element ${at}.`,
      "Lower the learning rate, or give larger batches or images: batch norm over very few values overflows.",
    );
  }
}

function aborted(name: string, done: number, steps: number, directory?: string): AutoqnnError {
  return new AutoqnnError(
    "aborted",
    `"${name}" was stopped after step ${done} of ${steps}.`,
    directory
      ? `Run the same again to continue from the checkpoint in ${directory}.`
      : "Run the same plan again, on the same data, to continue: this process holds what it had. A `checkpoint` directory keeps it beyond the process.",
  );
}
