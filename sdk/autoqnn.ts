import type * as tf from "@tensorflow/tfjs";
import { showsItself } from "./display.js";
import { engine } from "./engine/index.js";
import { AutoqnnError } from "./errors.js";
import { type QuantizedModel, spanned } from "./generate/index.js";
import { type GenerateOptions, pack } from "./generation.js";
import { checkBudget } from "./graph/budget.js";
import { type QuantizedGraph, quantizedGraph } from "./graph/graph.js";
import { checkSaveable } from "./graph/saveable.js";
import { learnStage } from "./learn/stage.js";
import { checkWeights, layersModel } from "./model/index.js";
import {
  checked,
  GenerationOptions,
  LearnOptions,
  PlanOptions,
  recipeOf,
  SearchOptions,
  TuneOptions,
} from "./options.js";
import type {
  AutoqnnOptions,
  FineTuneOptions,
  Learned,
  LearnPrecisionOptions,
  Searched,
  SearchSchemesOptions,
  Shown,
  Start,
  Tuned,
} from "./plan.js";
import { bitsOverTime, type Figure, lossOverTime, thetaOverTime } from "./report/figures.js";
import { searchStage } from "./search/stage.js";
import { type SensitivityOptions, sensitivityOf } from "./sensitivity.js";
import { type SchemeName, schemeAt } from "./staircase/schemes.js";
import { calibrate, uncalibrated } from "./train/calibrate.js";
import { describeRun } from "./train/describe.js";
import { keptOnSignals } from "./train/interruption.js";
import { Memory } from "./train/kept.js";
import type { Watch } from "./train/loop.js";
import type { Assignment } from "./train/policy.js";
import { rangeOf } from "./train/program.js";
import type { AnyRun, LearnRun, SearchRun, TuneRun } from "./train/run.js";
import type { Snapshot } from "./train/snapshot.js";
import { tuneStage } from "./train/tune.js";
import { openWorkbench, type Workbench, watchOf } from "./train/workbench.js";
import { defaultProgress } from "./watching.js";
import { type Written, type WrittenStage, written } from "./written.js";

export type {
  AutoqnnOptions,
  FineTuneOptions,
  Learned,
  LearnPrecisionOptions,
  Searched,
  SearchSchemesOptions,
  Shown,
  Start,
  Tuned,
} from "./plan.js";
export { type Written, type WrittenStage, writtenAs } from "./written.js";

/** What stands at a node for which no stage and no pin has decided. */
const DEFAULT = Object.freeze({ scheme: "clip" as SchemeName, bits: 8 });

/** Batches of training data from which ranges and first statistics are taken. */
const CALIBRATION_BATCHES = 8;

/** How many examples these are at least, where nothing is trained that could make up for ranges of too few. */
const CALIBRATION_EXAMPLES = 64;

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
  const {
    data: _,
    seed,
    batchSize,
    activations,
    recipe,
    ...edges
  } = checked(PlanOptions, options, "autoqnn");
  const model = layersModel(trained);
  checkWeights(model);
  checkSaveable(model);
  const { data } = options;
  const graph = quantizedGraph(model, edges);
  const bench = once(async () =>
    openWorkbench(await engine(), graph, data ?? missingData(), {
      progress: await defaultProgress(),
      seed,
      batchSize,
      recipe: recipeOf(recipe),
    }),
  );
  const seen = async (batches: number, ranges: "mean" | "all") => {
    const { engine, train } = await bench();
    const snapshot = await calibrate(engine, graph, train, { batchSize, batches, ranges, seed });
    return activations === "reference" ? { ...snapshot, signed: mapTrue(snapshot.signed) } : snapshot;
  };
  const calibrated = once(() => seen(CALIBRATION_BATCHES, "mean"));
  const untrained = once(() => {
    const batches = Math.max(CALIBRATION_BATCHES, Math.ceil(CALIBRATION_EXAMPLES / batchSize));
    return seen(batches, "all");
  });
  const text = { model: trained, options, stages: [] };
  const ownScales = edges.perChannel === undefined;
  const origin: Origin = {
    ...{ graph, seed, bench, calibrated, untrained, ownScales },
    ...{ data: data !== undefined, text },
  };
  const start = Object.freeze({
    graph,
    searchSchemes: (given?: SearchSchemesOptions) => searched(origin, undefined, given),
    learnPrecision: (given?: LearnPrecisionOptions) => learned(origin, undefined, given),
    fineTune: (given?: FineTuneOptions) => tuned(origin, undefined, given),
    generate: (given?: GenerateOptions) => generateFrom(origin, undefined, given),
  });
  return written(start, text);
}

/** What all plans on one model share. */
interface Origin {
  readonly graph: QuantizedGraph;
  readonly seed: number;
  readonly data: boolean;
  readonly bench: () => Promise<Workbench>;
  /** Where training starts. */
  readonly calibrated: () => Promise<Snapshot>;
  /** What is packed when there is no training: ranges are of all that was seen. */
  readonly untrained: () => Promise<Snapshot>;
  readonly ownScales: boolean;
  readonly text: Written;
}

/** A stage of a plan: what it must find in order before any training, and its result, computed at most once. */
interface Stage<R extends AnyRun = AnyRun> {
  readonly check: () => void;
  readonly result: () => Promise<R>;
  /** Lets go of what the process kept of it, and of the stages before it, in case they were interrupted. */
  readonly forget: () => void;
  readonly text: Written;
}

/** Where a stage starts. */
interface Point {
  readonly bench: Workbench;
  readonly snapshot: Snapshot;
  readonly assignment: Assignment;
  readonly watch: Watch;
}

function searched(
  origin: Origin,
  before: Stage | undefined,
  given: SearchSchemesOptions | undefined,
): Searched {
  const options = checked(SearchOptions, given, "searchSchemes");
  const stage = staged<SearchRun>(
    origin,
    before,
    { name: "searchSchemes", options: given ?? {} },
    options,
    () => {
      if (options.budget)
        checkBudget(options.budget, origin.graph, choices(origin.graph, [options.bits].flat()));
    },
    ({ bench, snapshot, watch }) => searchStage(bench, snapshot, options, watch),
  );
  const next = Object.freeze({
    graph: origin.graph,
    learnPrecision: (more?: LearnPrecisionOptions) => learned(origin, stage, more),
    fineTune: (more?: FineTuneOptions) => tuned(origin, stage, more),
    generate: (given?: GenerateOptions) => generateFrom(origin, stage, given),
  });
  const run = async () => written(shown(origin, await checkedResult(stage), next, thetaOverTime), stage.text);
  return written(Object.freeze({ ...next, run }), stage.text);
}

function learned(
  origin: Origin,
  before: Stage | undefined,
  given: LearnPrecisionOptions | undefined,
): Learned {
  const options = checked(LearnOptions, given, "learnPrecision");
  const [least, most] = options.bits;
  const widths = Array.from({ length: most - least + 1 }, (_, i) => least + i);
  const stage = staged<LearnRun>(
    origin,
    before,
    { name: "learnPrecision", options: given ?? {} },
    options,
    () => checkBudget(options.budget, origin.graph, choices(origin.graph, widths)),
    ({ bench, snapshot, assignment, watch }) => {
      const schemes = Object.fromEntries(Object.entries(assignment).map(([id, { scheme }]) => [id, scheme]));
      return learnStage(bench, snapshot, schemes, options, watch);
    },
  );
  const next = Object.freeze({
    graph: origin.graph,
    fineTune: (more?: FineTuneOptions) => tuned(origin, stage, more),
    generate: (given?: GenerateOptions) => generateFrom(origin, stage, given),
  });
  const run = async () => written(shown(origin, await checkedResult(stage), next, bitsOverTime), stage.text);
  return written(Object.freeze({ ...next, run }), stage.text);
}

function tuned(origin: Origin, before: Stage | undefined, given: FineTuneOptions | undefined): Tuned {
  const options = checked(TuneOptions, given, "fineTune");
  const stage = staged<TuneRun>(
    origin,
    before,
    { name: "fineTune", options: given ?? {} },
    options,
    undefined,
    ({ bench, snapshot, assignment, watch }) => tuneStage(bench, snapshot, assignment, options, watch),
  );
  const next = Object.freeze({
    graph: origin.graph,
    generate: (given?: GenerateOptions) => generateFrom(origin, stage, given),
  });
  const figure = (tune: TuneRun) => lossOverTime([tune]);
  const run = async () => written(shown(origin, await checkedResult(stage), next, figure), stage.text);
  return written(Object.freeze({ ...next, run }), stage.text);
}

function staged<R extends AnyRun>(
  origin: Origin,
  before: Stage | undefined,
  asked: WrittenStage,
  watched: Parameters<typeof watchOf>[1],
  check: (() => void) | undefined,
  work: (from: Point) => Promise<R>,
): Stage<R> {
  const { text } = before ?? origin;
  const memory = new Memory();
  return {
    text: { ...text, stages: [...text.stages, asked] },
    check: () => {
      if (!origin.data) missingData();
      before?.check();
      check?.();
    },
    result: once(async () => {
      const parent = await before?.result();
      const bench = { ...(await origin.bench()), memory };
      const snapshot = parent?.snapshot ?? (await origin.calibrated());
      const assignment = parent?.assignment ?? initialAssignment(origin.graph, snapshot);
      const run = await keptOnSignals(watchOf(bench, watched), (watch) =>
        work({ bench, snapshot, assignment, watch }),
      );
      return parent ? ({ ...run, parent } as R) : run;
    }),
    forget: () => {
      before?.forget();
      memory.forget();
    },
  };
}

async function checkedResult<R extends AnyRun>(stage: Stage<R>): Promise<R> {
  stage.check();
  const result = await stage.result();
  stage.forget();
  return result;
}

/** A stage's values together with what can be done next. Methods are not enumerable: the values stay plain data. */
function shown<R extends AnyRun, N extends object>(
  origin: Origin,
  run: R,
  next: N,
  figure: (run: R) => Figure,
): R & N & Shown {
  const sensitivity = async (given?: SensitivityOptions) => sensitivityOf(await origin.bench(), run, given);
  const methods = {
    ...next,
    plot: () => showsItself(figure(run)),
    sensitivity,
    toString: () => describeRun(run),
  };
  const properties = Object.entries(methods).map(([key, value]) => [key, { value, enumerable: false }]);
  const value = Object.defineProperties({ ...run }, Object.fromEntries(properties)) as R & N & Shown;
  return Object.freeze(showsItself(value));
}

async function generateFrom(
  origin: Origin,
  stage: Stage | undefined,
  given: GenerateOptions | undefined,
): Promise<QuantizedModel> {
  const { graph, seed, data } = origin;
  const options = checked(GenerationOptions, given, "generate");
  if (options.batchNormalization?.startsWith("reestimate") && !data)
    missingData("to re-estimate batch normalization from");
  if (options.biasCorrection) checkCorrection(data, stage !== undefined, options.batchNormalization);
  const last = stage && (await checkedResult(stage));
  const bench = data ? { bench: await origin.bench() } : {};
  if (last) {
    const { snapshot, assignment } = last;
    return pack({ graph, seed, snapshot, assignment, ...bench, last, ownScales: false }, options);
  }
  const seen = await (data ? origin.untrained() : uncalibrated(graph));
  const assignment = initialAssignment(graph, seen);
  const snapshot = spanned(graph, seen, assignment);
  return pack({ graph, seed, snapshot, assignment, ...bench, ownScales: origin.ownScales }, options);
}

/** Biases are corrected towards the network that was given: not what training made of it, nor what was re-estimated. */
function checkCorrection(data: boolean, staged: boolean, batchNormalization: string | undefined): void {
  if (!data) missingData("to correct biases from");
  const reestimated = batchNormalization?.startsWith("reestimate");
  if (!staged && !reestimated) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected biasCorrection in a plan that trains and re-estimates nothing, received it ${staged ? "after a stage" : `with batchNormalization "${batchNormalization}"`}.`,
    staged ? "Leave it out: training moves biases itself." : 'Use one of them, or batchNormalization "fold".',
  );
}

/** What stands at every node before any stage: what is pinned, else clip at 8 bits. Inputs need statistics. */
function initialAssignment(graph: QuantizedGraph, snapshot: Snapshot): Assignment {
  const known = graph.nodes.filter((node) => node.kind === "weight" || snapshot.statistics[node.id]);
  return Object.fromEntries(
    known.map((node) => {
      const bits = node.pin?.bits ?? DEFAULT.bits;
      const range = rangeOf(node, snapshot.signed[node.id] ?? true);
      return [node.id, { scheme: schemeAt(node.pin?.scheme ?? DEFAULT.scheme, bits, range), bits }];
    }),
  );
}

/** The bitwidths each node may get. */
function choices(graph: QuantizedGraph, widths: readonly number[]): Record<string, readonly number[]> {
  return Object.fromEntries(graph.nodes.map((node) => [node.id, node.pin?.bits ? [node.pin.bits] : widths]));
}

function missingData(what = "for a stage that trains"): never {
  throw new AutoqnnError(
    "bad-option",
    `Expected data ${what}, received none.`,
    "Pass it with the model: autoqnn(model, { data: await datasets.fashionMnist() }).",
  );
}

const mapTrue = (map: Readonly<Record<string, boolean>>): Record<string, boolean> =>
  Object.fromEntries(Object.keys(map).map((key) => [key, true]));

/** `work`, done at most once; a failure is forgotten, so that it can be tried again. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= work().catch((error) => {
      result = undefined;
      throw error;
    });
    return result;
  };
}
