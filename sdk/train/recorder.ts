import type { TensorMap } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import { LOOK_SIZE, lookSteps } from "./look.js";
import type { Stage } from "./loop.js";
import type { History, Observed, Trace } from "./run.js";
import { type HostTensor, sizeOf } from "./snapshot.js";
import { mapValues, prefixed, vector } from "./state.js";

/** Per-step measurements, as arrays that a checkpoint can hold. */
export class Recorder {
  private readonly loss: Float32Array;
  private readonly accuracy: Float32Array;
  private readonly traces: Record<string, Trace>;
  private readonly gradients: Record<string, Trace>;
  private readonly lookSteps: readonly number[];
  private readonly looks: Record<string, Float32Array>;

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
    const traces = (names: readonly string[], prefix: string): Record<string, Trace> =>
      Object.fromEntries(
        names.map((name) => {
          const row = stage.policy.parameters[name]!.shape;
          return [name, { row, data: restored(prefix + name, steps * sizeOf(row)) }];
        }),
      );
    const { policy, graph, diagnosed } = stage;
    const own = diagnosed ? graph.nodes.flatMap((node) => policy.own?.(node).parameter ?? []) : [];
    this.traces = traces(names, "");
    this.gradients = traces([...new Set(own)], "gradient/");
    this.lookSteps = diagnosed ? lookSteps(steps) : [];
    const looked = diagnosed
      ? graph.nodes.filter((node) => !node.steps && policy.candidates(node).length > 0)
      : [];
    this.looks = Object.fromEntries(
      looked.map(({ id }) => [id, restored(`look/${id}`, this.lookSteps.length * LOOK_SIZE)]),
    );
  }

  async record(
    index: number,
    batch: { readonly loss: number; readonly accuracy: number } | undefined,
    values: TensorMap,
    gradients: TensorMap,
  ): Promise<void> {
    if (batch) {
      this.loss[index] = batch.loss;
      this.accuracy[index] = batch.accuracy;
    }
    for (const [name, { row, data }] of Object.entries(this.traces)) {
      data.set(await values[`parameter/${name}`]!.data(), index * sizeOf(row));
    }
    for (const [name, { row, data }] of Object.entries(this.gradients)) {
      const gradient = gradients[name];
      if (gradient) data.set(await gradient.data(), index * sizeOf(row));
    }
  }

  /** Whether the nodes are to be looked at after step `t`. */
  looksAfter(t: number): boolean {
    return this.lookSteps.includes(t);
  }

  async recordLooks(t: number, looks: TensorMap): Promise<void> {
    const start = this.lookSteps.indexOf(t) * LOOK_SIZE;
    for (const [id, values] of Object.entries(looks)) this.looks[id]!.set(await values.data(), start);
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
    const used = this.looksUntil(done).length;
    const entries = {
      ...{ loss: this.loss.subarray(0, done), accuracy: this.accuracy.subarray(0, done) },
      ...mapValues(this.traces, ({ row, data }) => data.subarray(0, done * sizeOf(row))),
      ...prefixed(
        "gradient/",
        mapValues(this.gradients, ({ row, data }) => data.subarray(0, done * sizeOf(row))),
      ),
      ...prefixed(
        "look/",
        mapValues(this.looks, (data) => data.subarray(0, used * LOOK_SIZE)),
      ),
    };
    return Object.fromEntries(
      Object.entries(entries).map(([name, data]) => [`history/${name}`, vector(data.slice())]),
    );
  }

  /** What was noted of the nodes in the first `done` steps. */
  observed(done: number): Observed {
    const steps = this.looksUntil(done);
    const nodes = mapValues(this.looks, (data) => data.subarray(0, steps.length * LOOK_SIZE));
    return { gradients: this.gradients, looks: { steps, nodes } };
  }

  /** What was recorded in the first `done` steps; views, no copies. */
  history(done = this.loss.length): Omit<History, "seconds"> {
    const until = (data: Float32Array): Float32Array =>
      data.subarray(0, (data.length / this.loss.length) * done);
    return {
      steps: done,
      loss: until(this.loss),
      accuracy: until(this.accuracy),
      traces: mapValues(this.traces, ({ row, data }) => ({ row, data: until(data) })),
    };
  }

  private looksUntil(done: number): number[] {
    return this.lookSteps.filter((step) => step <= done);
  }
}
