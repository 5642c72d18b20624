import { type Allocation, allocate } from "../graph/allocate.js";
import type { Budget } from "../graph/budget.js";
import type { SchemeName } from "../staircase/schemes.js";
import { decided } from "../train/decided.js";
import { type Trained, train, type Watch } from "../train/loop.js";
import { searching } from "../train/recipe.js";
import type { Arm, LearnRun } from "../train/run.js";
import { measureSensitivity } from "../train/sensitivity.js";
import type { Snapshot } from "../train/snapshot.js";
import type { Contender } from "../train/trial.js";
import { type Length, stageOf, stepsOf, type Workbench, weightUpdates } from "../train/workbench.js";
import { type Learning, learning } from "./learn.js";
import { measuredAim } from "./measured.js";

/** Options of the stage, checked and complete. */
export interface LearnStageOptions extends Length {
  readonly budget: Budget;
  /** Least and greatest bitwidth a node may get. */
  readonly bits: readonly [number, number];
  /** The bitwidth at which every b starts. */
  readonly start: number;
  /** Steps of the short fine-tune by which the ways of rounding are compared. */
  readonly trialSteps?: number | undefined;
  /**
   * Which ways of rounding are tried. With none that rounds learned bitwidths ("gamma 1", "gamma 2") nothing is learned: the
   * search-free baseline "control", and the bits that a table of sensitivity measured around it gives.
   */
  readonly roundings: readonly Arm["name"][];
  /** Whether what follows starts from the weights that the stage began with, instead of those that learning left. */
  readonly restart: boolean;
  readonly learningRate: { readonly weights: number; readonly bits: number };
}

/** Bitwidths that a way of rounding gives, and what then stands at the nodes. */
interface Rounding extends Contender<Arm["name"]> {
  readonly bits: Readonly<Record<string, number>>;
  readonly ties: readonly string[];
  readonly proven: boolean;
}

/** The ways of rounding in the order in which they are tried, and those that round what was learned. */
const ARMS = ["control", "gamma 1", "gamma 2", "sensitivity"] as const;
const LEARNED: readonly Arm["name"][] = ["gamma 1", "gamma 2"];

/** Held-out examples on which the way "sensitivity" measures each node. */
const EXAMPLES = 1500;

const EPOCHS = 1;

/** How many steps of a trial there are for one of learning. */
const TRIAL_SHARE = 0.25;

/**
 * Precision learning (QPL): trains weights and real bitwidths b against classification and precision loss, then rounds b
 * to integers that keep every budget.
 *
 * The rounding minimises sum_i 4^(gamma b_i - k_i) over integers k within the budgets. Three ways are tried by a short
 * fine-tune each, and the least validation loss wins: gamma 1, gamma 2 (which undoes that the optimizer holds the b close
 * together), and the control that ignores what was learned and takes all b equal. By option a fourth is tried: the bits that
 * lose least by a table of sensitivity, measured with one bit more and one less at each node of the control.
 */
export async function learnStage(
  bench: Workbench,
  start: Snapshot,
  schemes: Readonly<Record<string, SchemeName>>,
  options: LearnStageOptions,
  watch: Watch,
): Promise<LearnRun> {
  const { budget, bits, learningRate } = options;
  const found = learning(bench.graph, start.signed, schemes, {
    budget,
    bits,
    start: Math.min(Math.max(options.start, bits[0]), bits[1]),
    learningRate: learningRate.bits,
    warmup: bench.recipe.warmup,
  });
  const steps = stepsOf(bench, options, EPOCHS);
  const trained = options.roundings.every((name) => !LEARNED.includes(name))
    ? nothingLearned(start, found)
    : await learn(bench, start, found, steps, options, watch);
  const learned = found.bits(trained.parameters.bits!.data as Float32Array);
  const undecided = { start, trained, steps, trialShare: TRIAL_SHARE, options, watch };
  const { trials: arms, ...run } = await decided(bench, undecided, (from) =>
    roundings(bench, from, found, options, watch, learned),
  );
  return Object.freeze({ kind: "learn", ...run, learned, arms });
}

/** Trains weights, scales and b together. */
function learn(
  bench: Workbench,
  start: Snapshot,
  { policy, update }: Learning,
  steps: number,
  options: LearnStageOptions,
  watch: Watch,
): Promise<Trained> {
  const weights = weightUpdates(bench, searching(bench.recipe, options.learningRate.weights));
  const updates = [...weights, update];
  const phases = [{ updates, source: bench.train }];
  const stage = stageOf(bench, "learn precision", start, policy, phases, steps);
  return train({ ...stage, diagnosed: true }, watch);
}

function nothingLearned(snapshot: Snapshot, { policy: { parameters } }: Learning): Trained {
  const none = new Float32Array(0);
  return {
    snapshot,
    parameters,
    health: [],
    history: { steps: 0, loss: none, accuracy: none, traces: {}, seconds: 0 },
  };
}

/** The integer bitwidths of every way of rounding; a way that gives the same bits as an earlier one is left out. */
async function roundings(
  bench: Workbench,
  snapshot: Snapshot,
  { choices, assignment }: Learning,
  { budget, roundings: names }: LearnStageOptions,
  { signal, onProgress }: Watch,
  learned: Readonly<Record<string, number>>,
): Promise<Rounding[]> {
  const { graph } = bench;
  const equal = Object.fromEntries(Object.keys(learned).map((id) => [id, 0]));
  const control = () => allocate({ graph, choices, budget, target: equal, gamma: 1 });
  const ways: Record<Arm["name"], () => Promise<Allocation>> = {
    control,
    "gamma 1": () => allocate({ graph, choices, budget, target: learned, gamma: 1 }),
    "gamma 2": () => allocate({ graph, choices, budget, target: learned, gamma: 2 }),
    sensitivity: async () => {
      const { bits } = await control();
      const measured = await measureSensitivity(bench, snapshot, assignment(bits), {
        ...{ examples: EXAMPLES, labels: "soft", bits: [1, -1] },
        ...{ signal, onProgress },
      });
      return allocate({ graph, budget, ...measuredAim(measured, choices) });
    },
  };
  const found: Rounding[] = [];
  for (const name of ARMS.filter((arm) => names.includes(arm))) {
    const { bits, ties, proven } = await ways[name]();
    const known = found.some((other) =>
      Object.entries(bits).every(([id, value]) => other.bits[id] === value),
    );
    if (!known) found.push({ name, bits, ties, proven, assignment: assignment(bits) });
  }
  return found;
}
