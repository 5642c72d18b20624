import type * as tf from "@tensorflow/tfjs";
import { originOf } from "./origin.js";
import type { AutoqnnOptions, Start } from "./plan.js";
import { started } from "./stages.js";
import { written } from "./written.js";

/**
 * Starts a plan: takes a trained model and gives back, by `generate()`, one whose weights and layer inputs each have their
 * own quantizing scheme and bitwidth. A plan is immutable and lazy; every method returns a new plan, and plans that share
 * a beginning run it once.
 *
 * @param trained a layers model, or a graph model, whose graph becomes layers (a copy)
 * @throws AutoqnnError `bad-model` when a weight is not finite, a layer of a class of one's own cannot be saved or
 * compiled, or a node of a graph cannot be computed; `bad-option` for an option that is not one.
 * @example
 * const data = await datasets.fashionMnist();
 * const quantized = await autoqnn(model, { data, seed: 7 })
 *   .searchSchemes({ epochs: 3 })
 *   .learnPrecision({ epochs: 5, budget: { averageBits: 2 } })
 *   .fineTune({ epochs: 5 })
 *   .generate();
 */
export function autoqnn(trained: tf.LayersModel | tf.GraphModel, options: AutoqnnOptions = {}): Start {
  const origin = originOf(trained, options);
  return written(started(origin), origin.text);
}
