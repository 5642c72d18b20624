import type * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import type { Stage } from "./loop.js";
import type { History, Trace } from "./run.js";
import { type HostTensor, sizeOf } from "./snapshot.js";
import { mapValues } from "./state.js";

/** Per-step measurements, as arrays that a checkpoint can hold. */
export class Recorder {
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
        return [name, { row, data: restored(name, steps * sizeOf(row)) }];
      }),
    );
  }

  async record(
    index: number,
    batch: { loss: tf.Tensor; correct: tf.Tensor; count: number } | undefined,
    values: TensorMap,
  ): Promise<void> {
    if (batch) {
      this.loss[index] = (await batch.loss.data())[0]!;
      this.accuracy[index] = (await batch.correct.data())[0]! / batch.count;
    }
    for (const [name, { row, data }] of Object.entries(this.traces)) {
      data.set(await values[`parameter/${name}`]!.data(), index * sizeOf(row));
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
}
