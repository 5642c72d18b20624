import * as tf from "@tensorflow/tfjs";
import type { Engine } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { fingerprint, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import type { BatchOptions, Source } from "./data.js";
import { Feed } from "./feed.js";
import { diagnose } from "./health/diagnose.js";
import type { Finding } from "./health/finding.js";
import { keepInMemory, recall } from "./kept.js";
import type { Optimizer } from "./optimizers.js";
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

/** Parameters that are updated together: "weights" (all trainable variables), "scale", or a policy's own. */
export interface Update {
  readonly parameters: string;
  readonly schedule: Schedule;
  /** Absent: the recipe's for the weights, Adam for all else. */
  readonly optimizer?: Optimizer;
}

/** Some updates and the examples they learn from. Several phases take turns within every step. */
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
  /** Where the stage keeps its checkpoint; the same stage run again continues from it. */
  readonly checkpoint?: string;
}

export interface Trained {
  readonly snapshot: Snapshot;
  /** Final values of the policy's parameters. */
  readonly parameters: Readonly<Record<string, HostTensor>>;
  readonly history: History;
  readonly health: readonly Finding[];
  readonly observed?: Observed;
}

const CHECKPOINT_SECONDS = 20;

/**
 * The training loop of every stage: floating point, search, learning, fine-tuning.
 *
 * A step runs each phase once as one compiled function; while it runs, the next batch is prepared. The result is a pure
 * function of the stage (and of the machine's arithmetic), whether or not the run was interrupted and resumed.
 *
 * When `signal` fires, the step under way is ended and counts; then the stage is kept, in the checkpoint directory or, for
 * this process, in memory, and the same stage run again goes on from there.
 *
 * Throws AutoqnnError `aborted` when `signal` fires, `bad-data` when the loss or what was trained is not finite.
 */
export async function train(stage: Stage, watch: Watch = {}): Promise<Trained> {
  const { steps, policy } = stage;
  const parameterNames = Object.keys(policy.parameters);
  const initial = initialState(stage);
  let named: string | undefined;
  const key = (): string => {
    named ??= stageKey(stage, initial);
    return named;
  };
  const examples = stage.phases.map(({ source }) => source.examples);
  const file = watch.checkpoint
    ? {
        directory: watch.checkpoint,
        name: `${stage.name.replaceAll(" ", "-")}-${key()}.safetensors`,
      }
    : undefined;
  const saved = file ? await readCheckpoint(file.directory, file.name) : recall(key, examples);
  const traced = parameterNames.map((name) => `parameter/${name}`);
  const rows = new Recorder(stage, parameterNames, saved?.tensors);
  const stepper = new Stepper(stage, saved ? under(saved.tensors, "state/") : initial);
  let done = saved ? Number(saved.meta.done) : 0;
  let seconds = saved ? Number(saved.meta.seconds) : 0;
  const feeds = stage.phases.map((phase) => new Feed(phase.source, stage, done));

  const keep = async (state?: Readonly<Record<string, HostTensor>>): Promise<void> => {
    const tensors = { ...prefixed("state/", state ?? (await hostOf(stepper))), ...rows.tensors(done) };
    const checkpoint = { tensors, meta: { done, seconds } };
    if (file) await writeCheckpoint(file.directory, file.name, checkpoint);
    else keepInMemory(key(), examples, checkpoint);
  };
  let keptAt = performance.now();
  const reporter = new Reporter(stage, watch, rows, done, feeds[0]!.perEpoch);
  try {
    while (done < steps) {
      if (watch.signal?.aborted) {
        await keep();
        throw aborted(stage.name, done, steps, file?.directory);
      }
      const t = done + 1;
      const begun = performance.now();
      let seen: tf.Tensor | undefined;
      for (const [index, feed] of feeds.entries()) {
        const batch = await feed.next();
        const count = batch.y.shape[0]!;
        if (index === 0 && rows.looksAfter(t)) seen = tf.clone(batch.x);
        const { loss, correct, penalty, gradients } = await stepper.run(index, t, batch, () =>
          feed.prepare(),
        );
        const values = stepper.read(traced);
        await rows.record(done, index === 0 ? { loss, correct, count } : undefined, values, gradients);
        tf.dispose([loss, correct, penalty, values, gradients]);
      }
      done = t;
      if (seen) {
        const looks = await stepper.look(t, seen);
        await rows.recordLooks(t, looks);
        tf.dispose([seen, looks]);
        reporter.found(diagnose(stage, done, rows.history(), rows.observed(done)));
      }
      seconds += (performance.now() - begun) / 1000;
      rows.checkFinite(done - 1, stage.name);
      reporter.step(done);
      if (file && performance.now() - keptAt > CHECKPOINT_SECONDS * 1000) {
        await keep();
        keptAt = performance.now();
      }
    }
    const final = await hostOf(stepper);
    refuseDiverged(final, stage.name);
    await keep(final);
    return {
      snapshot: snapshotOf(stage.graph, stage.snapshot.signed, averaged(final)),
      parameters: Object.fromEntries(parameterNames.map((name) => [name, final[`parameter/${name}`]!])),
      history: { ...rows.history(), seconds },
      ...(stage.diagnosed
        ? {
            observed: rows.observed(steps),
            health: diagnose(stage, steps, rows.history(), rows.observed(steps)),
          }
        : { health: [] }),
    };
  } catch (error) {
    const stopped = error instanceof AutoqnnError && error.code === "aborted";
    reporter.ended(stopped ? "interrupted" : "failed", done);
    throw error;
  } finally {
    stepper.dispose();
    for (const feed of feeds) await feed.close();
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

/** Names a stage by what determines its result, so that a checkpoint of another plan is never continued. */
function stageKey(stage: Stage, initial: Readonly<Record<string, HostTensor>>): string {
  const { name, steps, batchSize, seed, augment, relaxation, recipe, phases, graph, policy, engine } = stage;
  return fingerprint(
    { name, steps, batchSize, seed, augment, relaxation, recipe, engine: engine.name, device: engine.device },
    phases.map((phase) => [phase.updates, phase.source.batchesPerEpoch(batchSize, true)]),
    graph.nodes.map((node) => [node.id, policy.candidates(node), node.channelAxes]),
    [stage.snapshot.signed, policy.identity],
    initial,
  );
}

function aborted(name: string, done: number, steps: number, directory?: string): AutoqnnError {
  return new AutoqnnError(
    "aborted",
    `"${name}" was stopped after step ${done} of ${steps}.`,
    directory
      ? `Run the same plan again to continue from the checkpoint in ${directory}.`
      : "Run the same plan again, on the same data, to continue: this process holds what it had. A `checkpoint` directory keeps it beyond the process.",
  );
}
