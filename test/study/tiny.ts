import type * as tf from "@tensorflow/tfjs";
import { autoqnn } from "../../sdk/autoqnn.js";
import type { Tuned } from "../../sdk/plan.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

const quiet = { onProgress: () => {} };

/** A whole plan of a small network on small pictures, in a few steps a stage. */
export function tinyPlan(model: tf.LayersModel = smallNetwork(), data = blobData()): Tuned {
  return autoqnn(model, { data, batchSize: 32 })
    .searchSchemes({ steps: 3, trialSteps: 2, ...quiet })
    .learnPrecision({ steps: 3, trialSteps: 2, roundings: ["control", "gamma 1"], ...quiet })
    .fineTune({ steps: 3, reestimate: 2, ...quiet });
}

/** Eight cells: two searches for each seed, two budgets for each search. */
export const AXES = {
  granularity: ["layer", "model"],
  budget: [{ averageBits: 2 }, { averageBits: 4 }],
  seed: [0, 1],
} as const;
