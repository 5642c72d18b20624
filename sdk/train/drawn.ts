import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import { uncalibrated } from "./calibrate.js";
import type { Batch } from "./data.js";
import { firstOf, passes } from "./passes.js";
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
  signal?: AbortSignal,
): Promise<TensorMap[]> {
  const batches: TensorMap[] = [];
  const batchSize = Math.ceil(examples / Math.ceil(examples / BATCH));
  const floating = await uncalibrated(graph);
  const { logits } = program(graph, FLOATING, floating.signed);
  const step = engine.compile("soft labels", (inputs) => ({ y: tf.softmax(logits(inputs, "running")) }));
  const state = stateOf(graph, floating, FLOATING);
  const chosen = firstOf(held.epoch({ batchSize, seed, epoch: 0 }), examples);
  const inputs = ({ x }: Batch) => ({ ...state, x });
  const how = { what: "The measurement of sensitivity", signal };
  try {
    if (labels === "hard") for await (const batch of chosen) batches.push({ ...batch });
    else {
      for await (const { x, outputs } of passes(step, chosen, inputs, how))
        batches.push({ x: tf.clone(x), y: tf.clone(outputs.y!) });
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
