import * as tf from "@tensorflow/tfjs";
import type { State, Step, TensorMap } from "../engine/engine.js";
import { ADAM, correctedRate } from "./adam.js";
import type { Batch } from "./data.js";
import type { Stage, Update } from "./loop.js";
import { type Group, program } from "./program.js";
import { stream } from "./random.js";
import { rate } from "./schedule.js";
import { type HostTensor, sizeOf, toDevice } from "./snapshot.js";
import { hostState, prefixed, scalar } from "./state.js";

/** What one phase of a step says of itself; scalars, which the caller disposes. */
export interface Measured {
  readonly loss: tf.Tensor;
  readonly penalty: tf.Tensor;
  readonly correct: tf.Tensor;
}

/**
 * The compiled phases of a stage, and the state that passes through them: weights, statistics, parameters, moments of
 * Adam. The state stays on the device from step to step.
 */
export class Stepper {
  private readonly state: State;
  private readonly phases: readonly { readonly updates: readonly Update[]; readonly step: Step }[];

  constructor(
    private readonly stage: Stage,
    state: Readonly<Record<string, HostTensor>> = initialState(stage),
  ) {
    const compiled = program(stage.graph, stage.policy, stage.snapshot.signed, stage.relaxation?.rule);
    this.phases = stage.phases.map(({ updates }, index) => {
      const groups = updates.map((update) => groupOf(stage, update));
      const body = compiled.update(groups);
      return { updates, step: stage.engine.compile(`${stage.name}/${index}`, body, { mixed: true }) };
    });
    this.state = stage.engine.state(toDevice(state));
  }

  /** The state now, or its entries of these names; the caller disposes them. */
  read(names?: readonly string[]): TensorMap {
    return this.state.read(names);
  }

  /** Milliseconds spent tracing so far. */
  get traced(): number {
    return this.phases.reduce((sum, { step }) => sum + step.traced.milliseconds, 0);
  }

  /**
   * Runs one phase of step `t` (from 1) on a batch, which it disposes, and moves the state on.
   *
   * @param meanwhile called once the phase is on its way
   */
  async run(phase: number, t: number, batch: Batch, meanwhile?: () => void): Promise<Measured> {
    const { updates, step } = this.phases[phase]!;
    const controls = controlTensors(this.stage, updates, t);
    const running = step.run({ ...controls, x: batch.x, y: batch.y }, this.state);
    meanwhile?.();
    try {
      const { loss, correct, penalty } = await running;
      return { loss: loss!, correct: correct!, penalty: penalty! };
    } finally {
      tf.dispose([controls, batch.x, batch.y]);
    }
  }

  dispose(): void {
    for (const { step } of this.phases) step.dispose();
    this.state.dispose();
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
export function initialState(stage: Stage): Record<string, HostTensor> {
  const state = hostState(stage.graph, stage.snapshot, stage.policy);
  const groups = stage.phases.flatMap(({ updates }) => updates.map((update) => groupOf(stage, update)));
  for (const key of groups.flatMap((group) => group.keys)) {
    const { shape } = state[key]!;
    for (const slot of ["m", "v"]) {
      state[`${slot}/${key}`] = { shape, dtype: "float32", data: new Float32Array(sizeOf(shape)) };
    }
  }
  return state;
}

/** What changes from step to step by plan: learning rates, the policy's controls, the seed. */
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
