import type { Budget } from "../graph/budget.js";
import type { SchemeName } from "../staircase/schemes.js";
import { train, type Update, type Watch } from "../train/loop.js";
import { fixedPolicy } from "../train/policy.js";
import type { SearchRun } from "../train/run.js";
import type { Snapshot } from "../train/snapshot.js";
import {
  type Length,
  recorded,
  stageOf,
  stepsOf,
  validate,
  type Workbench,
  watchOf,
} from "../train/workbench.js";
import { search } from "./search.js";

/** Options of the stage, checked and complete. */
export interface SearchStageOptions extends Length {
  readonly granularity: "layer" | "model";
  readonly candidates:
    | readonly SchemeName[]
    | { readonly weights: readonly SchemeName[]; readonly activations: readonly SchemeName[] };
  readonly bits: number | readonly number[];
  readonly budget?: Budget | undefined;
  /** "together": one update of weights and theta a step; "turns": one of each, on two halves of the training data. */
  readonly update: "together" | "turns";
  readonly temperature: readonly [number, number];
  readonly learningRate: { readonly weights: number; readonly theta: number };
}

const WARMUP = 50;
const EPOCHS = 1;

/** Scheme search (QSS): trains weights and theta on mixtures of schemes, then keeps the likeliest of every node. */
export async function searchStage(
  bench: Workbench,
  start: Snapshot,
  options: SearchStageOptions & { [K in keyof Watch]?: Watch[K] | undefined },
): Promise<SearchRun> {
  const { granularity, candidates, bits, budget, temperature, learningRate } = options;
  const schemes = "weights" in candidates ? candidates : { weights: candidates, activations: candidates };
  const found = search(
    bench.graph,
    start.signed,
    {
      granularity,
      schemes,
      bits: typeof bits === "number" ? [bits] : bits,
      temperature,
      ...(budget && { budget }),
    },
    { seed: bench.seed, learningRate: learningRate.theta, warmup: WARMUP },
  );
  const schedule = { peak: learningRate.weights, warmup: WARMUP, floor: 0.5 };
  const weights: Update[] = [
    { parameters: "weights", schedule },
    { parameters: "scale", schedule },
  ];
  const phases =
    options.update === "together"
      ? [{ updates: [...weights, found.update], source: bench.train }]
      : bench.train
          .halves(bench.seed)
          .map((source, index) => ({ updates: index === 0 ? weights : [found.update], source }));
  const steps = stepsOf(bench, options, EPOCHS);
  const stage = stageOf(bench, "search schemes", start, found.policy, phases, steps);
  const { snapshot, parameters, history } = await train(stage, watchOf(options));
  const theta = parameters.theta!.data as Float32Array;
  const assignment = await found.decide(theta);
  return Object.freeze({
    kind: "search",
    options: recorded(options),
    seed: bench.seed,
    history,
    assignment,
    snapshot,
    ...(bench.validated && { validation: await validate(bench, snapshot, fixedPolicy(assignment)) }),
    nodes: bench.graph.nodes.map((node) => node.id),
    candidates: found.candidates,
    theta: found.theta(theta),
  });
}
