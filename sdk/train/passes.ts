import * as tf from "@tensorflow/tfjs";
import type { Step, TensorMap } from "../engine/engine.js";
import type { Batch } from "./data.js";
import { batchDoesNotFit, isOutOfMemory } from "./outOfMemory.js";
import { isAborted, stopped } from "./stopped.js";

/** One batch, and what a step made of it. All tensors are disposed when the next one is asked for. */
export interface Passed extends Batch {
  readonly outputs: TensorMap;
}

/**
 * Runs a step on one batch after another, for as long as the caller asks for more. However that ends, no tensor of a batch or
 * of what was made of it is left; what `inputs` adds to a batch stays the caller's.
 *
 * When the signal fires, the step under way is cancelled, and AutoqnnError `aborted` says after how many examples. Where a
 * batch does not fit into memory, AutoqnnError `out-of-memory` says what would.
 *
 * @param what the work, as in "The evaluation was stopped after 300 examples."
 */
export async function* passes(
  step: Step,
  batches: AsyncIterable<Batch>,
  inputs: (batch: Batch) => TensorMap,
  { what, signal }: { readonly what: string; readonly signal: AbortSignal | undefined },
): AsyncGenerator<Passed, void> {
  let count = 0;
  try {
    for await (const batch of batches) {
      let outputs: TensorMap = {};
      try {
        outputs = await step.run(inputs(batch), { signal }).catch((error: unknown) => {
          throw isOutOfMemory(error) ? batchDoesNotFit(what, batch.x.shape[0]!, error) : error;
        });
        count += batch.x.shape[0]!;
        yield { x: batch.x, y: batch.y, outputs };
      } finally {
        tf.dispose([batch.x, batch.y, outputs]);
      }
    }
  } catch (error) {
    throw isAborted(error) && signal?.aborted
      ? stopped(`${what} was stopped after ${count} examples`)
      : error;
  }
}

/** Batches of at most `count` examples together; the last one is cut. */
export async function* firstOf(batches: AsyncIterable<Batch>, count: number): AsyncGenerator<Batch, void> {
  let missing = count;
  for await (const batch of batches) {
    const { x, y } = batch;
    const size = x.shape[0]!;
    if (size <= missing) yield batch;
    else {
      const part = { x: tf.slice(x, 0, missing), y: tf.slice(y, 0, missing) };
      tf.dispose([x, y]);
      yield part;
    }
    missing -= size;
    if (missing <= 0) return;
  }
}
