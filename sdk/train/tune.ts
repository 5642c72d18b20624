import { type Trained, train, type Watch } from "./loop.js";
import { type Assignment, fixedPolicy } from "./policy.js";
import { ending } from "./recipe.js";
import { reestimate } from "./reestimate.js";
import type { Relaxation } from "./relax.js";
import type { TuneRun } from "./run.js";
import type { Schedule } from "./schedule.js";
import type { Snapshot } from "./snapshot.js";
import { ended, type Length, stageOf, stepsOf, type Workbench, weightUpdates } from "./workbench.js";

/** Options of the stage, checked and complete. */
export interface TuneStageOptions extends Length {
  readonly learningRate: number;
  /** How many batches the moving averages of batch normalisation are re-estimated from at the end. */
  readonly reestimate: number;
  /** Whether every node's staircase learns a factor of its own. */
  readonly scales: boolean;
  /** The author's gradient rules, and the share r of x itself at the start, which falls to 0. */
  readonly gradient: Relaxation;
}

const EPOCHS = 4;

/** Trains weights and scales with the quantizers of `assignment` in place. */
export function trainFixed(
  bench: Workbench,
  name: string,
  start: Snapshot,
  assignment: Assignment,
  {
    steps,
    schedule,
    watch,
    scales = true,
    diagnosed = false,
    relaxation,
  }: {
    steps: number;
    schedule: Schedule;
    watch: Watch;
    scales?: boolean;
    diagnosed?: boolean;
    relaxation?: Relaxation;
  },
): Promise<Trained> {
  const updates = weightUpdates(bench, schedule, scales);
  const policy = fixedPolicy(assignment);
  const stage = stageOf(bench, name, start, policy, [{ updates, source: bench.train }], steps);
  return train({ ...stage, diagnosed, ...(relaxation && { relaxation }) }, watch);
}

/** Fine-tuning: trains with the quantizers in place down to a learning rate of zero, then re-estimates batch norm. */
export async function tuneStage(
  bench: Workbench,
  start: Snapshot,
  assignment: Assignment,
  options: TuneStageOptions,
  watch: Watch,
): Promise<TuneRun> {
  const trained = await trainFixed(bench, "fine-tune", start, assignment, {
    steps: stepsOf(bench, options, EPOCHS),
    schedule: ending(bench.recipe, options.learningRate),
    watch,
    scales: options.scales,
    diagnosed: true,
    relaxation: options.gradient,
  });
  const { engine, graph, train: source, batchSize, seed } = bench;
  const policy = fixedPolicy(assignment);
  const snapshot = await reestimate(engine, graph, trained.snapshot, policy, source, {
    batchSize,
    batches: options.reestimate,
    seed,
    signal: watch.signal,
  });
  const run = await ended(bench, options, trained, { assignment, snapshot }, watch);
  return Object.freeze({ kind: "tune", ...run });
}
