import { allocate } from "../graph/allocate.js";
import type { Budget } from "../graph/budget.js";
import type { SchemeName } from "../staircase/schemes.js";
import { type Trained, train, type Watch } from "../train/loop.js";
import { fixedPolicy } from "../train/policy.js";
import type { Arm, LearnRun } from "../train/run.js";
import type { Snapshot } from "../train/snapshot.js";
import { trainFixed } from "../train/tune.js";
import {
  type Length,
  recorded,
  stageOf,
  stepsOf,
  validate,
  type Workbench,
  watchOf,
} from "../train/workbench.js";
import { type Learning, learning } from "./learn.js";

/** Options of the stage, checked and complete. */
export interface LearnStageOptions extends Length {
  readonly budget: Budget;
  /** Least and greatest bitwidth a node may get. */
  readonly bits: readonly [number, number];
  /** The bitwidth at which every b starts. */
  readonly start: number;
  /** Steps of the short fine-tune by which the ways of rounding are compared. */
  readonly trialSteps?: number | undefined;
  /** Which ways of rounding are tried. With "control" alone nothing is learned: the search-free baseline. */
  readonly roundings: readonly Arm["name"][];
  readonly learningRate: { readonly weights: number; readonly bits: number };
}

const WARMUP = 50;
const EPOCHS = 1;

/** How many steps of a trial there are for one of learning. */
const TRIAL_SHARE = 0.25;

/**
 * Precision learning (QPL): trains weights and real bitwidths b against classification and precision loss, then rounds b
 * to integers that keep every budget.
 *
 * The rounding minimises sum_i 4^(gamma b_i - k_i) over integers k within the budgets. Three ways are tried by a short
 * fine-tune each, and the least validation loss wins: gamma 1, gamma 2 (which undoes that the optimizer holds the b close
 * together), and the control that ignores what was learned and takes all b equal.
 */
export async function learnStage(
  bench: Workbench,
  start: Snapshot,
  schemes: Readonly<Record<string, SchemeName>>,
  options: LearnStageOptions & { [K in keyof Watch]?: Watch[K] | undefined },
): Promise<LearnRun> {
  const { budget, bits, learningRate } = options;
  const found = learning(bench.graph, start.signed, schemes, {
    budget,
    bits,
    start: Math.min(Math.max(options.start, bits[0]), bits[1]),
    learningRate: learningRate.bits,
    warmup: WARMUP,
  });
  const steps = stepsOf(bench, options, EPOCHS);
  const { snapshot, parameters, history } = options.roundings.every((name) => name === "control")
    ? nothingLearned(start, found)
    : await learn(bench, start, found, steps, options);
  const learned = found.bits(parameters.bits!.data as Float32Array);

  const arms = await roundings(bench, found, options, learned);
  const trials: { arm: Arm; snapshot: Snapshot }[] = [];
  for (const arm of arms) {
    // A single way of rounding needs no comparison: the next stage starts where learning ended.
    trials.push(
      arms.length === 1
        ? { arm, snapshot }
        : await trial(bench, snapshot, found, arm, options, Math.ceil(steps * TRIAL_SHARE)),
    );
  }
  const lossOf = ({ arm }: { arm: Arm }): number => arm.validation?.loss ?? 0;
  const best = trials.reduce((a, b) => (lossOf(b) < lossOf(a) ? b : a));
  return Object.freeze({
    kind: "learn",
    options: recorded(options),
    seed: bench.seed,
    history,
    assignment: found.assignment(best.arm.bits),
    snapshot: best.snapshot,
    ...(bench.validated && best.arm.validation && { validation: best.arm.validation }),
    nodes: bench.graph.nodes.map((node) => node.id),
    learned,
    arms: trials.map(({ arm }) => arm),
    chosen: best.arm.name,
  });
}

/** Trains weights, scales and b together. */
function learn(
  bench: Workbench,
  start: Snapshot,
  { policy, update }: Learning,
  steps: number,
  options: LearnStageOptions & { [K in keyof Watch]?: Watch[K] | undefined },
): Promise<Trained> {
  const schedule = { peak: options.learningRate.weights, warmup: WARMUP, floor: 0.5 };
  const updates = [{ parameters: "weights", schedule }, { parameters: "scale", schedule }, update];
  const phases = [{ updates, source: bench.train }];
  return train(stageOf(bench, "learn precision", start, policy, phases, steps), watchOf(options));
}

function nothingLearned(snapshot: Snapshot, { policy: { parameters } }: Learning): Trained {
  const none = new Float32Array(0);
  return { snapshot, parameters, history: { steps: 0, loss: none, accuracy: none, traces: {}, seconds: 0 } };
}

/** The integer bitwidths of every way of rounding; a way that gives the same bits as an earlier one is left out. */
async function roundings(
  bench: Workbench,
  { choices }: Learning,
  { budget, roundings: names }: LearnStageOptions,
  learned: Readonly<Record<string, number>>,
): Promise<Arm[]> {
  const equal = Object.fromEntries(Object.keys(learned).map((id) => [id, 0]));
  const ways = [
    { name: "control", target: equal, gamma: 1 },
    { name: "gamma 1", target: learned, gamma: 1 },
    { name: "gamma 2", target: learned, gamma: 2 },
  ] as const;
  const arms: Arm[] = [];
  for (const { name, target, gamma } of ways.filter((way) => names.includes(way.name))) {
    const { bits, ties } = await allocate({ graph: bench.graph, choices, target, gamma, budget });
    const known = arms.some((arm) => Object.entries(bits).every(([id, value]) => arm.bits[id] === value));
    if (!known) arms.push({ name, bits, ties });
  }
  return arms;
}

async function trial(
  bench: Workbench,
  start: Snapshot,
  found: Learning,
  arm: Arm,
  options: LearnStageOptions & { [K in keyof Watch]?: Watch[K] | undefined },
  steps: number,
): Promise<{ arm: Arm; snapshot: Snapshot }> {
  const assignment = found.assignment(arm.bits);
  const { snapshot } = await trainFixed(bench, `try ${arm.name}`, start, assignment, {
    steps: options.trialSteps ?? steps,
    // The trials start from one snapshot and go on at the rate at which learning ended.
    schedule: { peak: options.learningRate.weights / 2, warmup: 10, floor: 0.5 },
    watch: watchOf(options),
  });
  return { arm: { ...arm, validation: await validate(bench, snapshot, fixedPolicy(assignment)) }, snapshot };
}
