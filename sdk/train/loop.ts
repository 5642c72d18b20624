import * as tf from "@tensorflow/tfjs";
import type { Engine, TensorMap } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { ADAM, type Adam, correctedRate } from "./adam.js";
import { fingerprint, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import type { Batch, BatchOptions, Source } from "./data.js";
import type { Policy } from "./policy.js";
import { type Group, program } from "./program.js";
import type { OnProgress } from "./progress.js";
import { stream } from "./random.js";
import type { History, Trace } from "./run.js";
import { rate, type Schedule } from "./schedule.js";
import { type HostTensor, type Snapshot, toDevice, toHost } from "./snapshot.js";
import { hostState, mapValues, prefixed, snapshotOf, under } from "./state.js";

/** Parameters that are updated together: "weights" (all trainable variables), "scale", or a policy's own. */
export interface Update {
  readonly parameters: string;
  readonly schedule: Schedule;
  readonly adam?: Adam;
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
  readonly phases: readonly Phase[];
  readonly steps: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly augment?: BatchOptions["augment"];
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
}

const CHECKPOINT_SECONDS = 20;
const PROGRESS_MILLISECONDS = 200;

/**
 * The training loop of every stage: floating point, search, learning, fine-tuning.
 *
 * A step runs each phase once as one compiled function; while it runs, the next batch is prepared. The result is a pure
 * function of the stage (and of the machine's arithmetic), whether or not the run was interrupted and resumed.
 *
 * Throws AutoqnnError `aborted` when `signal` fires (the checkpoint is written first), `bad-data` when the loss is not finite.
 */
export async function train(stage: Stage, watch: Watch = {}): Promise<Trained> {
  const { engine, steps, policy } = stage;
  const parameterNames = Object.keys(policy.parameters);
  const compiled = program(stage.graph, policy, stage.snapshot.signed);
  const phases = stage.phases.map((phase, index) => {
    const groups = phase.updates.map((update) => groupOf(stage, update));
    return { ...phase, groups, step: engine.compile(`${stage.name}/${index}`, compiled.update(groups)) };
  });
  const initial = initialState(
    stage,
    phases.flatMap((phase) => phase.groups),
  );
  const file = watch.checkpoint
    ? {
        directory: watch.checkpoint,
        name: `${stage.name.replaceAll(" ", "-")}-${stageKey(stage, initial)}.safetensors`,
      }
    : undefined;
  const saved = file && (await readCheckpoint(file.directory, file.name));
  const rows = new Recorder(stage, parameterNames, saved?.tensors);
  let state = toDevice(saved ? under(saved.tensors, "state/") : initial);
  let done = saved ? Number(saved.meta.done) : 0;
  let seconds = saved ? Number(saved.meta.seconds) : 0;
  const feeds = phases.map((phase) => new Feed(phase.source, stage, done));

  const keep = async (): Promise<void> => {
    if (!file) return;
    const tensors = { ...prefixed("state/", await toHost(state)), ...rows.tensors(done) };
    await writeCheckpoint(file.directory, file.name, { tensors, meta: { done, seconds } });
  };
  let keptAt = performance.now();
  let shownAt = 0;
  const startedAt = performance.now();
  const first = done;
  try {
    while (done < steps) {
      if (watch.signal?.aborted) {
        await keep();
        throw aborted(stage.name, done, steps, file?.directory);
      }
      const t = done + 1;
      const begun = performance.now();
      for (const [index, phase] of phases.entries()) {
        const batch = await feeds[index]!.next();
        const controls = controlTensors(stage, phase.updates, t);
        const running = phase.step.run({ ...state, ...controls, x: batch.x, y: batch.y });
        feeds[index]!.prepare();
        const outputs = await running;
        tf.dispose([controls, batch.x, batch.y]);
        const { loss, correct, penalty, ...changed } = outputs;
        await rows.record(
          done,
          index === 0 ? { loss: loss!, correct: correct!, count: batch.y.shape[0]! } : undefined,
          changed,
        );
        tf.dispose([loss!, correct!, penalty!]);
        for (const key of Object.keys(changed)) state[key]?.dispose();
        state = { ...state, ...changed };
      }
      done = t;
      const now = performance.now();
      seconds += (now - begun) / 1000;
      rows.checkFinite(done - 1, stage.name);
      if (now - shownAt > PROGRESS_MILLISECONDS || done === steps || done % feeds[0]!.perEpoch === 0) {
        shownAt = now;
        const perStep = (now - startedAt) / 1000 / (done - first);
        watch.onProgress?.({
          stage: stage.name,
          step: done,
          steps,
          epoch: Math.ceil(done / feeds[0]!.perEpoch),
          epochs: Math.ceil(steps / feeds[0]!.perEpoch),
          ...rows.recent(done),
          speed: stage.batchSize / perStep,
          eta: perStep * (steps - done),
        });
      }
      if (file && now - keptAt > CHECKPOINT_SECONDS * 1000) {
        await keep();
        keptAt = performance.now();
      }
    }
    await keep();
    const final = await toHost(state);
    return {
      snapshot: snapshotOf(stage.graph, stage.snapshot.signed, final),
      parameters: Object.fromEntries(parameterNames.map((name) => [name, final[`parameter/${name}`]!])),
      history: { ...rows.history(), seconds },
    };
  } finally {
    for (const { step } of phases) step.dispose();
    for (const feed of feeds) await feed.close();
    tf.dispose(state);
  }
}

/** The batches of one phase, epoch after epoch; the next one is made while the current one is used. */
class Feed {
  readonly perEpoch: number;
  private iterator: AsyncIterator<Batch> | undefined;
  private pending: Promise<Batch> | undefined;
  private epoch: number;
  private skip: number;

  constructor(
    private readonly source: Source,
    private readonly stage: Pick<Stage, "batchSize" | "seed" | "augment" | "name">,
    done: number,
  ) {
    this.perEpoch = source.batchesPerEpoch(stage.batchSize, true);
    this.epoch = Math.floor(done / this.perEpoch);
    this.skip = done % this.perEpoch;
  }

  /** Starts making the next batch, if it is not being made already. */
  prepare(): void {
    this.pending ??= this.take();
    // The error, if any, belongs to whoever asks for the batch.
    this.pending.catch(() => {});
  }

  async next(): Promise<Batch> {
    this.prepare();
    const pending = this.pending!;
    this.pending = undefined;
    return pending;
  }

  async close(): Promise<void> {
    const batch = await this.pending?.catch(() => undefined);
    if (batch) tf.dispose([batch.x, batch.y]);
    await this.iterator?.return?.();
  }

  private async take(): Promise<Batch> {
    for (let attempt = 0; attempt < 2; attempt++) {
      this.iterator ??= this.source
        .epoch({
          batchSize: this.stage.batchSize,
          seed: this.stage.seed,
          epoch: this.epoch,
          dropLast: true,
          skip: this.skip,
          ...(this.stage.augment && { augment: this.stage.augment }),
        })
        [Symbol.asyncIterator]();
      const { value, done } = await this.iterator.next();
      if (!done) return value;
      this.iterator = undefined;
      this.epoch++;
      this.skip = 0;
    }
    throw new AutoqnnError(
      "bad-data",
      `Expected another epoch of batches for "${this.stage.name}", received none after epoch ${this.epoch}.`,
      "The training data must be iterable once per epoch: pass a dataset or an iterable, not a generator.",
    );
  }
}

/** Per-step measurements, as arrays that a checkpoint can hold. */
class Recorder {
  private readonly loss: Float32Array;
  private readonly accuracy: Float32Array;
  private readonly traces: Record<string, Trace>;

  constructor(stage: Stage, names: readonly string[], saved?: Readonly<Record<string, HostTensor>>) {
    const { steps } = stage;
    const restored = (key: string, length: number): Float32Array => {
      const array = new Float32Array(length);
      const before = saved?.[`history/${key}`]?.data as Float32Array | undefined;
      if (before) array.set(before);
      return array;
    };
    this.loss = restored("loss", steps);
    this.accuracy = restored("accuracy", steps);
    this.traces = Object.fromEntries(
      names.map((name) => {
        const row = stage.policy.parameters[name]!.shape;
        return [name, { row, data: restored(name, steps * size(row)) }];
      }),
    );
  }

  async record(
    index: number,
    batch: { loss: tf.Tensor; correct: tf.Tensor; count: number } | undefined,
    changed: TensorMap,
  ): Promise<void> {
    if (batch) {
      this.loss[index] = (await batch.loss.data())[0]!;
      this.accuracy[index] = (await batch.correct.data())[0]! / batch.count;
    }
    for (const [name, { row, data }] of Object.entries(this.traces)) {
      const value = changed[`parameter/${name}`];
      if (value) data.set(await value.data(), index * size(row));
    }
  }

  checkFinite(index: number, stage: string): void {
    if (Number.isFinite(this.loss[index])) return;
    throw new AutoqnnError(
      "bad-data",
      `Expected a finite loss in "${stage}" at step ${index + 1}, received ${this.loss[index]}.`,
      "Lower the learning rate, or check the data's scale.",
    );
  }

  /** Means over the last twenty steps. */
  recent(done: number): { loss: number; accuracy: number } {
    const mean = (values: Float32Array): number => {
      const last = values.subarray(Math.max(0, done - 20), done);
      return last.reduce((sum, value) => sum + value, 0) / last.length;
    };
    return { loss: mean(this.loss), accuracy: mean(this.accuracy) };
  }

  tensors(done: number): Record<string, HostTensor> {
    const entries = {
      loss: this.loss,
      accuracy: this.accuracy,
      ...mapValues(this.traces, (trace) => trace.data),
    };
    const steps = this.loss.length;
    return Object.fromEntries(
      Object.entries(entries).map(([name, data]) => {
        const used = data.subarray(0, (data.length / steps) * done);
        return [`history/${name}`, { shape: [used.length], dtype: "float32" as const, data: used.slice() }];
      }),
    );
  }

  history(): Omit<History, "seconds"> {
    return { steps: this.loss.length, loss: this.loss, accuracy: this.accuracy, traces: this.traces };
  }
}

function groupOf(stage: Stage, { parameters, adam = ADAM }: Update): Group {
  const keys =
    parameters === "weights"
      ? stage.graph.variables.filter((v) => v.trainable).map((v) => `variable/${v.name}`)
      : [`parameter/${parameters}`];
  return { name: parameters, keys, adam };
}

/** The state a stage starts from, with Adam's moments m and v at zero for whatever is trained. */
function initialState(stage: Stage, groups: readonly Group[]): Record<string, HostTensor> {
  const state = hostState(stage.graph, stage.snapshot, stage.policy);
  for (const key of groups.flatMap((group) => group.keys)) {
    const { shape } = state[key]!;
    for (const slot of ["m", "v"]) {
      state[`${slot}/${key}`] = { shape, dtype: "float32", data: new Float32Array(size(shape)) };
    }
  }
  return state;
}

function controlTensors(stage: Stage, updates: readonly Update[], t: number): TensorMap {
  const draw = stream(stage.seed, stage.name, "seed", t);
  const controls: Record<string, HostTensor> = {
    ...prefixed("control/", stage.policy.controls?.(t, stage.steps) ?? {}),
    "control/seed": {
      shape: [2],
      dtype: "int32",
      data: Int32Array.from([draw() * 0x7fffffff, draw() * 0x7fffffff]),
    },
  };
  for (const { parameters, schedule, adam = ADAM } of updates) {
    const value = correctedRate(adam, rate(schedule, t, stage.steps), t);
    controls[`control/rate/${parameters}`] = { shape: [], dtype: "float32", data: Float32Array.of(value) };
  }
  return toDevice(controls);
}

/** Names a stage by what determines its result, so that a checkpoint of another plan is never continued. */
function stageKey(stage: Stage, initial: Readonly<Record<string, HostTensor>>): string {
  const { name, steps, batchSize, seed, augment, phases, graph, policy, engine } = stage;
  return fingerprint(
    { name, steps, batchSize, seed, augment, engine: engine.name, device: engine.device },
    phases.map((phase) => [phase.updates, phase.source.batchesPerEpoch(batchSize, true)]),
    graph.nodes.map((node) => [node.id, policy.candidates(node)]),
    stage.snapshot.signed,
    initial,
  );
}

function aborted(name: string, done: number, steps: number, directory?: string): AutoqnnError {
  return new AutoqnnError(
    "aborted",
    `"${name}" was stopped after step ${done} of ${steps}.`,
    directory
      ? `Run the same plan again to continue from the checkpoint in ${directory}.`
      : "Give a `checkpoint` directory to be able to continue after an interruption.",
  );
}

const size = (shape: readonly number[]): number =>
  shape.reduce((product, dimension) => product * dimension, 1);
