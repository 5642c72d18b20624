import { allocate } from "../graph/allocate.js";
import type { Budget } from "../graph/budget.js";
import type { SchemeName } from "../staircase/schemes.js";
import { train, type Watch } from "../train/loop.js";
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
  const schedule = { peak: learningRate.weights, warmup: WARMUP, floor: 0.5 };
  const phases = [
    {
      updates: [{ parameters: "weights", schedule }, { parameters: "scale", schedule }, found.update],
      source: bench.train,
    },
  ];
  const steps = stepsOf(bench, options, EPOCHS);
  const stage = stageOf(bench, "learn precision", start, found.policy, phases, steps);
  const { snapshot, parameters, history } = await train(stage, watchOf(options));
  const learned = found.bits(parameters["bits"]!.data as Float32Array);

  const trials = [];
  for (const arm of await roundings(bench, found, budget, learned)) {
    trials.push(await trial(bench, snapshot, found, arm, options, Math.ceil(steps * TRIAL_SHARE)));
  }
  const best = trials.reduce((a, b) => (b.arm.validation!.loss < a.arm.validation!.loss ? b : a));
  return Object.freeze({
    kind: "learn",
    options: recorded(options),
    seed: bench.seed,
    history,
    assignment: found.assignment(best.arm.bits),
    snapshot: best.snapshot,
    ...(bench.validated && { validation: best.arm.validation! }),
    nodes: bench.graph.nodes.map((node) => node.id),
    learned,
    arms: trials.map(({ arm }) => arm),
    chosen: best.arm.name,
  });
}

/** The integer bitwidths of every way of rounding; a way that gives the same bits as an earlier one is left out. */
async function roundings(
  bench: Workbench,
  { choices }: Learning,
  budget: Budget,
  learned: Readonly<Record<string, number>>,
): Promise<Arm[]> {
  const equal = Object.fromEntries(Object.keys(learned).map((id) => [id, 0]));
  const ways = [
    { name: "control", target: equal, gamma: 1 },
    { name: "gamma 1", target: learned, gamma: 1 },
    { name: "gamma 2", target: learned, gamma: 2 },
  ] as const;
  const arms: Arm[] = [];
  for (const { name, target, gamma } of ways) {
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
