import { showsItself } from "./display.js";
import { generateFrom } from "./generateFrom.js";
import type { GenerateOptions } from "./generation.js";
import { checkBudget } from "./graph/budget.js";
import type { QuantizedGraph } from "./graph/graph.js";
import { learnStage } from "./learn/stage.js";
import { checked, LearnOptions, SearchOptions, TuneOptions } from "./options.js";
import type { Origin } from "./origin.js";
import type {
  FineTuneOptions,
  Generates,
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
import { checkedResult, type Stage, staged } from "./staged.js";
import { describeRun } from "./train/describe.js";
import type { AnyRun, LearnRun, SearchRun, TuneRun } from "./train/run.js";
import { tuneStage } from "./train/tune.js";
import { written } from "./written.js";

/** What can be done after `stage`, or at the start: from every state, all that comes after it. */
const generates = (origin: Origin, stage?: Stage): Generates => ({
  graph: origin.graph,
  generate: (given?: GenerateOptions) => generateFrom(origin, stage, given),
});
const tunes = (origin: Origin, stage?: Stage): Omit<Learned, "run"> => ({
  ...generates(origin, stage),
  fineTune: (given?: FineTuneOptions) => tuned(origin, stage, given),
});
const learns = (origin: Origin, stage?: Stage): Omit<Searched, "run"> => ({
  ...tunes(origin, stage),
  learnPrecision: (given?: LearnPrecisionOptions) => learned(origin, stage, given),
});

/** A plan before any stage. */
export const started = (origin: Origin): Start =>
  Object.freeze({
    ...learns(origin),
    searchSchemes: (given?: SearchSchemesOptions) => searched(origin, given),
  });

function searched(origin: Origin, given: SearchSchemesOptions | undefined): Searched {
  const options = checked(SearchOptions, given, "searchSchemes");
  const { bits, budget } = options;
  const stage = staged<SearchRun>(origin, undefined, {
    asked: { name: "searchSchemes", options: given ?? {} },
    options,
    check: () => budget && checkBudget(budget, origin.graph, choices(origin.graph, [bits].flat())),
    work: ({ bench, snapshot, watch }) => searchStage(bench, snapshot, options, watch),
  });
  return runs(origin, stage, learns(origin, stage), thetaOverTime);
}

function learned(
  origin: Origin,
  before: Stage | undefined,
  given: LearnPrecisionOptions | undefined,
): Learned {
  const options = checked(LearnOptions, given, "learnPrecision");
  const [least, most] = options.bits;
  const widths = Array.from({ length: most - least + 1 }, (_, i) => least + i);
  const stage = staged<LearnRun>(origin, before, {
    asked: { name: "learnPrecision", options: given ?? {} },
    options,
    check: () => checkBudget(options.budget, origin.graph, choices(origin.graph, widths)),
    work: ({ bench, snapshot, assignment, watch }) => {
      const schemes = Object.fromEntries(Object.entries(assignment).map(([id, { scheme }]) => [id, scheme]));
      return learnStage(bench, snapshot, schemes, options, watch);
    },
  });
  return runs(origin, stage, tunes(origin, stage), bitsOverTime);
}

function tuned(origin: Origin, before: Stage | undefined, given: FineTuneOptions | undefined): Tuned {
  const options = checked(TuneOptions, given, "fineTune");
  const stage = staged<TuneRun>(origin, before, {
    asked: { name: "fineTune", options: given ?? {} },
    options,
    work: ({ bench, snapshot, assignment, watch }) => tuneStage(bench, snapshot, assignment, options, watch),
  });
  return runs(origin, stage, generates(origin, stage), (run) => lossOverTime([run]));
}

/** A plan that ends with `stage`: what can be done `next`, and `run`, which gives the stage's result. */
function runs<R extends AnyRun, N extends object>(
  origin: Origin,
  stage: Stage<R>,
  next: N,
  figure: (run: R) => Figure,
): N & { run(): Promise<R & N & Shown> } {
  const run = async () => written(shown(origin, await checkedResult(stage), next, figure), stage.text);
  return written(Object.freeze({ ...next, run }), stage.text);
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

/** The bitwidths each node may get. */
function choices(graph: QuantizedGraph, widths: readonly number[]): Record<string, readonly number[]> {
  return Object.fromEntries(graph.nodes.map((node) => [node.id, node.pin?.bits ? [node.pin.bits] : widths]));
}
