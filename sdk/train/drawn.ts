import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import { uncalibrated } from "./calibrate.js";
import type { Batch } from "./data.js";
import { FLOATING } from "./policy.js";
import { program } from "./program.js";
import { stateOf } from "./state.js";
import type { Workbench } from "./workbench.js";

/** Examples that pass together. */
const BATCH = 500;

/**
 * Held-out examples, drawn by the plan's seed, in batches of one size where the data allow it. Their labels are those of the
 * data ("hard") or what the floating-point network says of them ("soft"). The caller disposes them.
 */
export async function drawn(
  { engine, graph, held, seed }: Workbench,
  examples: number,
  labels: "soft" | "hard",
): Promise<TensorMap[]> {
  const batches: TensorMap[] = [];
  const batchSize = Math.ceil(examples / Math.ceil(examples / BATCH));
  const floating = await uncalibrated(graph);
  const { logits } = program(graph, FLOATING, floating.signed);
  const step = engine.compile("soft labels", (inputs) => ({ y: tf.softmax(logits(inputs, "running")) }));
  const state = stateOf(graph, floating, FLOATING);
  let missing = examples;
  try {
    for await (const batch of held.epoch({ batchSize, seed, epoch: 0 })) {
      const { x, y } = first(batch, missing);
      missing -= x.shape[0]!;
      if (labels === "hard") batches.push({ x, y });
      else {
        batches.push({ x, y: (await step.run({ ...state, x })).y! });
        y.dispose();
      }
      if (missing === 0) break;
    }
    return batches;
  } catch (error) {
    tf.dispose(batches);
    throw error;
  } finally {
    step.dispose();
    tf.dispose(state);
  }
}

/** At most the first `count` examples of a batch, in its place. */
function first(batch: Batch, count: number): Batch {
  const { x, y } = batch;
  if (x.shape[0]! <= count) return batch;
  const part = { x: tf.slice(x, 0, count), y: tf.slice(y, 0, count) };
  tf.dispose([x, y]);
  return part;
}
