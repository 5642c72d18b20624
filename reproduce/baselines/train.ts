import { engine, type QuantizingNode, quantizedGraph, type tf } from "../../sdk/index.js";
import { type RecipeOptions, recipeOf } from "../../sdk/options.js";
import { measure } from "../../sdk/staircase/schemes.js";
import { calibrate } from "../../sdk/train/calibrate.js";
import { checkedSource, type Data } from "../../sdk/train/data.js";
import { evaluate } from "../../sdk/train/evaluate.js";
import { keptOnSignals } from "../../sdk/train/interruption.js";
import { train, type Watch } from "../../sdk/train/loop.js";
import { terminalProgress } from "../../sdk/train/progress.js";
import { ending } from "../../sdk/train/recipe.js";
import { reestimate } from "../../sdk/train/reestimate.js";
import type { History, Score } from "../../sdk/train/run.js";
import {
  modelShape,
  openWorkbench,
  stageOf,
  validate,
  watchOf,
  weightUpdates,
} from "../../sdk/train/workbench.js";
import { lsq } from "./lsq.js";
import { type Baseline, type Bitwidths, fitted } from "./rule.js";

/** The protocol that a baseline keeps: that of the fine-tune of every plan. */
export interface BaselineOptions extends Omit<Watch, "memory"> {
  readonly data: Data;
  readonly seed: number;
  /** Of every weight and every input that is quantized; of a method that gives bitwidths of its own, on average. */
  readonly bits: number;
  /** Of the first and the last layer, where it is not `bits`: of LSQ, since not every method has so many. */
  readonly firstLast?: number;
  readonly steps: number;
  readonly batchSize?: number;
  /** Of the weights; what a method learns besides moves by Adam at `learned` times it, by default as fast. */
  readonly learningRate: number;
  readonly learned?: number;
  readonly recipe?: RecipeOptions;
}

export interface BaselineRun {
  readonly history: History;
  readonly validation: Score;
  /** Of the test images, where there are any. */
  readonly test?: Score;
  /** Of every node, by its id. */
  readonly bits: Bitwidths;
  /** Bytes of all weight codes. */
  readonly bytes: number;
  /** Mean bitwidth of weights, and of input values. */
  readonly averageBits: { readonly weights: number; readonly activations: number };
}

/** Batches from which ranges, and at the end moving averages, are taken; those of a plan. */
const CALIBRATION = 8;
const REESTIMATE = 100;

/**
 * Trains a network under a method of the literature with the loop, the data, the recipe and the ending of every plan:
 * quantizers at the same nodes, weights and what the method learns moved together, moving averages re-estimated at the end.
 *
 * @param model a trained network; it is left as it is
 */
export async function trainBaseline(
  model: tf.LayersModel,
  baseline: Baseline,
  options: BaselineOptions,
): Promise<BaselineRun> {
  const { data, seed, bits, firstLast, steps, batchSize = 128, learningRate, learned = 1 } = options;
  const recipe = recipeOf(options.recipe);
  const graph = quantizedGraph(model);
  const bench = await openWorkbench(await engine(), graph, data, {
    progress: await terminalProgress(),
    seed,
    batchSize,
    recipe,
  });
  const common = { batchSize, seed };
  const start = await calibrate(bench.engine, graph, bench.train, { ...common, batches: CALIBRATION });
  const weights = graph.nodes.filter((node) => node.kind === "weight");
  const statistics = Object.fromEntries(
    weights.map(({ id }) => [id, measure(start.variables[id]!.data as Float32Array)]),
  );
  const ends = new Set([weights.at(0)!.layer, weights.at(-1)!.layer]);
  const kept = (node: QuantizingNode) => firstLast !== undefined && ends.has(node.layer);
  const uniform = Object.fromEntries(graph.nodes.map((node) => [node.id, kept(node) ? firstLast! : bits]));
  const free = new Set(graph.nodes.filter((node) => !kept(node)).map(({ id }) => id));
  const asked = watchOf(bench, options);
  const { signal } = asked;
  const given = (await baseline.allocate?.({ bench, start, uniform, free, signal })) ?? uniform;
  const at = (node: QuantizingNode) => ({ baseline: kept(node) ? lsq : baseline, bits: given[node.id]! });
  const { policy, learned: keys } = fitted(graph, start, statistics, at);
  const schedule = ending(recipe, learningRate);
  const updates = [
    ...weightUpdates(bench, schedule, false),
    ...keys.map((parameters) => ({
      parameters,
      schedule: { ...schedule, peak: schedule.peak * learned },
    })),
  ];
  const stage = stageOf(bench, baseline.name, start, policy, [{ updates, source: bench.train }], steps);
  return keptOnSignals(asked, async (watch) => {
    const trained = await train(stage, watch);
    const ended = { ...policy, parameters: trained.parameters };
    const settings = { ...common, batches: REESTIMATE, signal: watch.signal };
    const snapshot = await reestimate(bench.engine, graph, trained.snapshot, ended, bench.train, settings);
    const examples = data.test && (await checkedSource("test", data.test, modelShape(graph)));
    const validation = await validate(bench, snapshot, ended, watch);
    const judged = { engine: bench.engine, graph, snapshot, policy: ended, batchSize: 500 };
    const test = examples && (await evaluate({ ...judged, source: examples, signal: watch.signal }));
    bench.memory.forget();
    const inputs = graph.nodes.filter((node) => node.kind === "input");
    return {
      history: trained.history,
      validation,
      ...(test && { test }),
      bits: given,
      averageBits: { weights: meanBits(weights, given), activations: meanBits(inputs, given) },
      bytes: Math.ceil(weights.reduce((sum, node) => sum + node.elements * given[node.id]!, 0) / 8),
    };
  });
}

function meanBits(nodes: readonly QuantizingNode[], bits: Bitwidths): number {
  const count = nodes.reduce((sum, { elements }) => sum + elements, 0);
  return nodes.reduce((sum, { id, elements }) => sum + bits[id]! * elements, 0) / count;
}
