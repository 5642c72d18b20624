import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import type { Batch, Source } from "./data.js";
import type { Stage } from "./loop.js";

/** The batches of one phase, epoch after epoch; the next one is made while the current one is used. */
export class Feed {
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
