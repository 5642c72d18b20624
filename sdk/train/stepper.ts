import * as tf from "@tensorflow/tfjs";
import type { State, Step, TensorMap } from "../engine/engine.js";
import { sumKey } from "./accumulate.js";
import type { Batch } from "./data.js";
import type { Stage, Update } from "./loop.js";
import { ADAM, rowOf } from "./optimizers.js";
import { program } from "./program.js";
import { stream } from "./random.js";
import { rate } from "./schedule.js";
import { type HostTensor, sizeOf, toDevice } from "./snapshot.js";
import { hostState, prefixed, scalar, under } from "./state.js";
import { averageKey, type Group, isAveraged } from "./updating.js";

/** What one phase of a step says of itself, which the caller disposes; scalars but for the gradients. */
export interface Measured {
  readonly loss: tf.Tensor;
  readonly penalty: tf.Tensor;
  readonly correct: tf.Tensor;
  /** Of the loss without the penalty, by what the policy trains in this phase. */
  readonly gradients: TensorMap;
}

interface CompiledPhase {
  readonly updates: readonly Update[];
  readonly step: Step;
  /** For the batches of an update before its last, where there are several. */
  readonly adding?: Step;
}

/**
 * The compiled phases of a stage, and the state that passes through them: weights and their running means, statistics,
 * parameters, what the optimizers keep, the weights of a teacher. The state stays on the device from step to step.
 */
export class Stepper {
  private state: State;
  private readonly looking: Step;
  private readonly phases: readonly CompiledPhase[];

  constructor(
    private readonly stage: Stage,
    state: Readonly<Record<string, HostTensor>> = initialState(stage),
  ) {
    const compiled = program(stage.graph, stage.policy, stage.snapshot.signed, {
      recipe: stage.recipe,
      ...(stage.relaxation && { rule: stage.relaxation.rule }),
    });
    this.phases = stage.phases.map(({ updates }, index) => {
      const groups = updates.map((update) => groupOf(stage, update));
      const compile = (name: string, body: (inputs: TensorMap) => TensorMap): Step =>
        stage.engine.compile(`${stage.name}/${name}`, body, { training: true });
      return {
        updates,
        step: compile(`${index}`, compiled.update(groups)),
        ...(stage.recipe.accumulate > 1 && { adding: compile(`${index}/add`, compiled.add(groups)) }),
      };
    });
    this.looking = stage.engine.compile(`${stage.name}/look`, compiled.look);
    this.state = stage.engine.state(toDevice(state));
  }

  /** The state now, or its entries of these names; the caller disposes them. */
  read(names?: readonly string[]): TensorMap {
    return this.state.read(names);
  }

  /** Milliseconds spent tracing so far. */
  get traced(): number {
    return this.steps.reduce((sum, step) => sum + step.traced.milliseconds, 0);
  }

  /** Does all `parts` of a step or, where one fails or is cancelled, none: the state is then what it was before. */
  async whole(parts: () => Promise<void>): Promise<void> {
    const before = this.state.fork();
    try {
      await parts();
      before.dispose();
    } catch (error) {
      this.state.dispose();
      this.state = before;
      throw error;
    }
  }

  /**
   * Runs one phase of step `t` (from 1) on a batch, which it disposes, and moves the state on. Throws AutoqnnError `aborted`
   * where the signal ends it.
   *
   * @param options.part which batch of its update this is, from 0; the recipe says how many there are, and the last one updates
   * @param options.meanwhile called once the phase is on its way
   */
  async run(
    phase: number,
    t: number,
    batch: Batch,
    {
      part = 0,
      signal,
      meanwhile,
    }: {
      readonly part?: number;
      readonly signal?: AbortSignal | undefined;
      readonly meanwhile?: () => void;
    } = {},
  ): Promise<Measured> {
    const { updates, step, adding } = this.phases[phase]!;
    const last = part === this.stage.recipe.accumulate - 1;
    const controls = controlTensors(this.stage, last ? updates : [], t, part);
    const inputs = { ...controls, x: batch.x, y: batch.y };
    const running = (last ? step : adding!).run(inputs, { state: this.state, signal });
    meanwhile?.();
    try {
      const { loss, correct, penalty, ...rest } = await running;
      return { loss: loss!, correct: correct!, penalty: penalty!, gradients: under(rest, "gradient/") };
    } finally {
      tf.dispose([controls, batch.x, batch.y]);
    }
  }

  /** What every node does with the examples `x` at step `t`, by node id; the caller disposes it. */
  async look(t: number, x: tf.Tensor, signal?: AbortSignal): Promise<TensorMap> {
    const controls = controlTensors(this.stage, [], t);
    try {
      return await this.looking.run({ ...controls, x }, { state: this.state, signal });
    } finally {
      tf.dispose(controls);
    }
  }

  dispose(): void {
    this.looking.dispose();
    for (const step of this.steps) step.dispose();
    this.state.dispose();
  }

  private get steps(): Step[] {
    return this.phases.flatMap(({ step, adding }) => (adding ? [step, adding] : [step]));
  }
}

function groupOf(stage: Stage, { parameters, optimizer }: Update): Group {
  const keys =
    parameters === "weights"
      ? stage.graph.variables.filter((v) => v.trainable).map((v) => `variable/${v.name}`)
      : [`parameter/${parameters}`];
  const own = parameters === "weights" ? stage.recipe.optimizer : ADAM;
  return { name: parameters, keys, optimizer: optimizer ?? own };
}

/** The state a stage starts from: what optimizers keep is zero, running means are what they are means of. */
export function initialState(stage: Stage): Record<string, HostTensor> {
  const { recipe, teacher } = stage;
  const state = hostState(stage.graph, stage.snapshot, stage.policy);
  if (recipe.distillation && teacher) Object.assign(state, prefixed("teacher/", teacher));
  for (const { keys, name, optimizer } of stage.phases.flatMap(({ updates }) =>
    updates.map((update) => groupOf(stage, update)),
  )) {
    for (const key of keys) {
      const { shape } = state[key]!;
      for (const slot of rowOf(optimizer).slots) state[`${slot}/${key}`] = zeros(shape);
      if (recipe.accumulate > 1) state[sumKey(key)] = zeros(shape);
      if (recipe.averageWeights && isAveraged(name)) state[averageKey(key)] = state[key]!;
    }
  }
  return state;
}

/** A state with the running means, where there are any, in the place of what they are means of. */
export function averaged(state: Readonly<Record<string, HostTensor>>): Record<string, HostTensor> {
  return { ...state, ...under(state, averageKey("")) };
}

const zeros = (shape: readonly number[]): HostTensor => ({
  shape,
  dtype: "float32",
  data: new Float32Array(sizeOf(shape)),
});

/** What changes from step to step by plan: learning rates, the policy's controls, the seed, which each batch has of its own. */
function controlTensors(stage: Stage, updates: readonly Update[], t: number, part = 0): TensorMap {
  const draw = stream(stage.seed, stage.name, "seed", t, ...(part > 0 ? [part] : []));
  const controls: Record<string, HostTensor> = {
    ...prefixed("control/", stage.policy.controls?.(t, stage.steps) ?? {}),
    "control/ratio": scalar((stage.relaxation?.ratio ?? 0) * (1 - t / stage.steps)),
    "control/seed": {
      shape: [2],
      dtype: "int32",
      data: Int32Array.from([draw() * 0x7fffffff, draw() * 0x7fffffff]),
    },
  };
  for (const update of updates) {
    const { name, optimizer } = groupOf(stage, update);
    const value = rate(update.schedule, t, stage.steps);
    controls[`control/rate/${name}`] = scalar(value);
    controls[`control/corrected/${name}`] = scalar(rowOf(optimizer).corrected(optimizer, value, t));
  }
  if (stage.recipe.averageWeights)
    controls["control/average"] = scalar(Math.min(stage.recipe.averageWeights, t / (t + 9)));
  return toDevice(controls);
}
