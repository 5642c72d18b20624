import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import type { Batch, Source } from "./data.js";
import type { Stage } from "./loop.js";

/** Batches before the end of an epoch at which the next one is opened, which takes as long as several short steps. */
const LEAD = 16;

/** One pass over the examples. */
interface Pass {
  readonly iterator: AsyncIterator<Batch>;
  /** The first batch, where it was asked for ahead. */
  first?: Promise<IteratorResult<Batch>> | undefined;
}

/**
 * The batches of one phase, epoch after epoch; the next one is made while the current one is used. Where passes may overlap,
 * the next epoch is opened before the current one has ended.
 */
export class Feed {
  readonly perEpoch: number;
  private current: Pass | undefined;
  private following: Pass | undefined;
  private pending: Promise<Batch> | undefined;
  private epoch: number;
  /** Batches of this epoch that were taken, by whoever trained before as well. */
  private taken: number;

  constructor(
    private readonly source: Source,
    private readonly stage: Pick<Stage, "batchSize" | "seed" | "augment" | "name">,
    done: number,
  ) {
    this.perEpoch = source.batchesPerEpoch(stage.batchSize, true);
    this.epoch = Math.floor(done / this.perEpoch);
    this.taken = done % this.perEpoch;
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
    for (const pass of [this.current, this.following]) {
      const ahead = await pass?.first?.catch(() => undefined);
      if (ahead && !ahead.done) tf.dispose([ahead.value.x, ahead.value.y]);
      await pass?.iterator.return?.();
    }
  }

  private async take(): Promise<Batch> {
    for (let attempt = 0; attempt < 2; attempt++) {
      this.current ??= this.open(this.epoch, this.taken);
      const { value, done } = await nextOf(this.current);
      if (!done) {
        this.taken++;
        if (this.source.overlapping && this.perEpoch - this.taken < LEAD) this.openNext();
        return value;
      }
      this.current = this.following;
      this.following = undefined;
      this.epoch++;
      this.taken = 0;
    }
    throw new AutoqnnError(
      "bad-data",
      `Expected another epoch of batches for "${this.stage.name}", received none after epoch ${this.epoch}.`,
      "The training data must be iterable once per epoch: pass a dataset or an iterable, not a generator.",
    );
  }

  private openNext(): void {
    if (this.following) return;
    const { iterator } = this.open(this.epoch + 1, 0);
    this.following = { iterator, first: iterator.next() };
    // As above: whoever asks for this batch gets the error.
    this.following.first!.catch(() => {});
  }

  private open(epoch: number, skip: number): Pass {
    const { batchSize, seed, augment } = this.stage;
    const options = { batchSize, seed, epoch, dropLast: true, skip, ...(augment && { augment }) };
    return { iterator: this.source.epoch(options)[Symbol.asyncIterator]() };
  }
}

function nextOf(pass: Pass): Promise<IteratorResult<Batch>> {
  const { first } = pass;
  pass.first = undefined;
  return first ?? pass.iterator.next();
}
