import type { Budget } from "../graph/budget.js";
import type { SchemeName } from "../staircase/schemes.js";
import { decided } from "../train/decided.js";
import { train, type Watch } from "../train/loop.js";
import type { Assignment, Candidate } from "../train/policy.js";
import { searching } from "../train/recipe.js";
import type { SearchRun } from "../train/run.js";
import type { Snapshot } from "../train/snapshot.js";
import type { Contender } from "../train/trial.js";
import { type Length, stageOf, stepsOf, type Workbench, weightUpdates } from "../train/workbench.js";
import { type Search, search } from "./search.js";

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
  /** Whether what follows starts from the weights that the stage began with, instead of those that the search left. */
  readonly restart: boolean;
  readonly learningRate: { readonly weights: number; readonly theta: number };
  /** Compare what was searched with clip everywhere by a short fine-tune, and keep the better. */
  readonly control: boolean;
  /** The part of its loss by which what was searched must be the better. */
  readonly margin: number;
  /** Steps of that fine-tune. */
  readonly trialSteps?: number | undefined;
}

const EPOCHS = 0.25;

/** Long trials: the weights that a search leaves fit its own choice, and clip has to catch up. */
const TRIAL_SHARE = 1;

/**
 * Scheme search (QSS): trains weights and theta on mixtures of schemes, then keeps the likeliest of every node, or the control
 * unless its validation loss is the higher by the margin.
 *
 * A search that kept the control leaves no trace in what follows: weights that adapted to mixtures, or to the bits of the
 * search, end worse than those that it began with.
 */
export async function searchStage(
  bench: Workbench,
  start: Snapshot,
  options: SearchStageOptions,
  watch: Watch,
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
    { seed: bench.seed, learningRate: learningRate.theta, warmup: bench.recipe.warmup },
  );
  const weights = weightUpdates(bench, searching(bench.recipe, learningRate.weights));
  const phases =
    options.update === "together"
      ? [{ updates: [...weights, found.update], source: bench.train }]
      : bench.train
          .halves(bench.seed)
          .map((source, index) => ({ updates: index === 0 ? weights : [found.update], source }));
  const steps = stepsOf(bench, options, EPOCHS);
  const stage = { ...stageOf(bench, "search schemes", start, found.policy, phases, steps), diagnosed: true };
  const trained = await train(stage, watch);
  const theta = trained.parameters.theta!.data as Float32Array;
  const run = await decided(
    bench,
    { start, trained, steps, trialShare: TRIAL_SHARE, options, watch },
    async () => contenders(await found.decide(theta), found, options),
  );
  return Object.freeze({
    kind: "search",
    ...run,
    ...(run.chosen === "control" && { handedOn: start }),
    candidates: found.candidates,
    theta: found.theta(theta),
  });
}

/**
 * What was searched and, unless it is the same or some node cannot take it, the control: clip at every node that has a
 * choice, at the bits that were asked for, or at those searched where there were several.
 */
function contenders(
  searched: Assignment,
  { candidates }: Search,
  { bits, control, margin }: SearchStageOptions,
): Contender<"searched" | "control">[] {
  const own = { name: "searched", assignment: searched, margin } as const;
  const plain = Object.entries(searched).map(([id, decided]) => {
    const list = candidates[id]!;
    const wanted =
      [bits].flat().length > 1 ? decided.bits : Math.max(...list.map((candidate) => candidate.bits));
    const clip = list.find((candidate) => candidate.scheme === "clip" && candidate.bits === wanted);
    return [id, list.length === 1 ? decided : clip] as const;
  });
  const possible = plain.every((entry): entry is readonly [string, Candidate] => entry[1] !== undefined);
  if (!control || !possible || plain.every(([id, { scheme }]) => searched[id]!.scheme === scheme))
    return [own];
  return [own, { name: "control", assignment: Object.fromEntries(plain) }];
}
