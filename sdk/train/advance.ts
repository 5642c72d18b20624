import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import type { Feed } from "./feed.js";
import type { Stepper } from "./stepper.js";

/** What one phase of a step gave, over all batches of its update. */
export interface Advanced {
  /** Mean over the batches, in nats. */
  readonly loss: number;
  /** Fraction of the examples. */
  readonly accuracy: number;
  /** Of the loss without the penalty, by what the policy trains; the caller disposes them. */
  readonly gradients: TensorMap;
  /** The examples of the first batch, where they were asked for; the caller disposes them. */
  readonly first?: tf.Tensor;
}

/**
 * Runs a phase of step `t` on as many batches of `feed` as make an update; while one runs, the next is prepared.
 *
 * @param first whether the examples of the first batch are wanted
 */
export async function advance(
  stepper: Stepper,
  feed: Feed,
  {
    phase,
    t,
    batches,
    first,
    signal,
  }: { phase: number; t: number; batches: number; first: boolean; signal?: AbortSignal | undefined },
): Promise<Advanced> {
  let [loss, correct, examples] = [0, 0, 0];
  let kept: tf.Tensor | undefined;
  try {
    for (let part = 0; ; part++) {
      const batch = await feed.next();
      examples += batch.y.shape[0]!;
      if (first && part === 0) kept = tf.clone(batch.x);
      const meanwhile = () => feed.prepare();
      const measured = await stepper.run(phase, t, batch, { part, signal, meanwhile });
      loss += (await measured.loss.data())[0]! / batches;
      correct += (await measured.correct.data())[0]!;
      tf.dispose([measured.loss, measured.correct, measured.penalty]);
      if (part < batches - 1) continue;
      const { gradients } = measured;
      return { loss, accuracy: correct / examples, gradients, ...(kept && { first: kept }) };
    }
  } catch (error) {
    kept?.dispose();
    throw error;
  }
}
