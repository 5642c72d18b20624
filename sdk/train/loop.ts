import * as tf from "@tensorflow/tfjs";
import type { Engine, TensorMap } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { ADAM, type Adam, correctedRate } from "./adam.js";
import { fingerprint, readCheckpoint, writeCheckpoint } from "./checkpoint.js";
import type { BatchOptions, Source } from "./data.js";
import { Feed } from "./feed.js";
import type { Policy } from "./policy.js";
import { type Group, program } from "./program.js";
import type { OnProgress } from "./progress.js";
import { stream } from "./random.js";
import { Recorder } from "./recorder.js";
import type { Relaxation } from "./relax.js";
import type { History } from "./run.js";
import { rate, type Schedule } from "./schedule.js";
import { type HostTensor, type Snapshot, sizeOf, toDevice, toHost } from "./snapshot.js";
import { hostState, prefixed, scalar, snapshotOf, under } from "./state.js";

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
  const compiled = program(stage.graph, policy, stage.snapshot.signed, stage.relaxation?.rule);
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
      state[`${slot}/${key}`] = { shape, dtype: "float32", data: new Float32Array(sizeOf(shape)) };
    }
  }
  return state;
}

function controlTensors(stage: Stage, updates: readonly Update[], t: number): TensorMap {
  const draw = stream(stage.seed, stage.name, "seed", t);
  const controls: Record<string, HostTensor> = {
    ...prefixed("control/", stage.policy.controls?.(t, stage.steps) ?? {}),
    "control/ratio": scalar((stage.relaxation?.ratio ?? 0) * (1 - t / stage.steps)),
    "control/seed": {
      shape: [2],
      dtype: "int32",
      data: Int32Array.from([draw() * 0x7fffffff, draw() * 0x7fffffff]),
    },
  };
  for (const { parameters, schedule, adam = ADAM } of updates) {
    const value = correctedRate(adam, rate(schedule, t, stage.steps), t);
    controls[`control/rate/${parameters}`] = scalar(value);
  }
  return toDevice(controls);
}

/** Names a stage by what determines its result, so that a checkpoint of another plan is never continued. */
function stageKey(stage: Stage, initial: Readonly<Record<string, HostTensor>>): string {
  const { name, steps, batchSize, seed, augment, relaxation, phases, graph, policy, engine } = stage;
  return fingerprint(
    { name, steps, batchSize, seed, augment, relaxation, engine: engine.name, device: engine.device },
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
