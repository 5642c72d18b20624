import type * as tf from "@tensorflow/tfjs";
import type { z } from "zod";
import { engine } from "./engine/index.js";
import { quantizedGraph } from "./graph/graph.js";
import { checked, PretrainOptions, recipeOf } from "./options.js";
import { uncalibrated } from "./train/calibrate.js";
import { checkedSource, type Data, type Examples } from "./train/data.js";
import { evaluate } from "./train/evaluate.js";
import { keptOnSignals } from "./train/interruption.js";
import { train } from "./train/loop.js";
import { FLOATING } from "./train/policy.js";
import { ending } from "./train/recipe.js";
import type { History, Score } from "./train/run.js";
import { toDevice } from "./train/snapshot.js";
import {
  modelShape,
  openWorkbench,
  stageOf,
  stepsOf,
  validate,
  watchOf,
  weightUpdates,
} from "./train/workbench.js";
import { defaultProgress } from "./watching.js";

const EPOCHS = 5;

/**
 * Trains a classifier in floating point, in place, with the same compiled loop, data contract and progress as the
 * quantizing stages, by default Adam, linear warm-up, cosine to zero; see `Recipe` for others.
 *
 * @returns the history, and loss and accuracy on the validation split where there is one
 * @throws AutoqnnError `bad-data` or `bad-model` before training starts
 * @example
 * await pretrain(model, await datasets.fashionMnist(), { epochs: 5, seed: 7 });
 */
export async function pretrain(
  model: tf.LayersModel,
  data: Data,
  options: z.input<typeof PretrainOptions> = {},
): Promise<{ history: History; validation?: Score }> {
  const given = checked(PretrainOptions, options, "pretrain");
  const graph = quantizedGraph(model);
  const recipe = recipeOf(given.recipe);
  const progress = await defaultProgress();
  const bench = await openWorkbench(await engine(), graph, data, { ...given, recipe, progress });
  const updates = weightUpdates(bench, ending(recipe, given.learningRate), false);
  const phases = [{ updates, source: bench.train }];
  const start = await uncalibrated(graph);
  const stage = stageOf(bench, "train", start, FLOATING, phases, stepsOf(bench, given, EPOCHS));
  return keptOnSignals(watchOf(bench, given), async (watch) => {
    const { snapshot, history } = await train(stage, watch);
    const values = toDevice(snapshot.variables);
    graph.write(values);
    for (const tensor of Object.values(values)) tensor.dispose();
    const validation = bench.validated && (await validate(bench, snapshot, FLOATING, watch));
    bench.memory.forget();
    return { history, ...(validation && { validation }) };
  });
}

/**
 * Loss and accuracy of a floating-point classifier over all of `examples`.
 *
 * @param options.batchSize examples at once; 500 by default
 * @param options.signal by default that of the notebook's running cell
 * @throws AutoqnnError `bad-data` when they do not fit the model, `out-of-memory` when a batch does not fit into memory,
 * `aborted` when the signal fires
 * @example
 * const { accuracy } = await score(model, data.test);
 */
export async function score(
  model: tf.LayersModel,
  examples: Examples,
  {
    batchSize = 500,
    signal,
  }: { readonly batchSize?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<Score> {
  const graph = quantizedGraph(model);
  const source = await checkedSource("examples", examples, modelShape(graph), signal);
  return evaluate({
    engine: await engine(),
    graph,
    snapshot: await uncalibrated(graph),
    policy: FLOATING,
    source,
    batchSize,
    signal,
  });
}
