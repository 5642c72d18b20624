import { type Trained, train, type Watch } from "./loop.js";
import { type Assignment, fixedPolicy } from "./policy.js";
import { inTurn, lowered } from "./progressive.js";
import { ending, searching } from "./recipe.js";
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
  /**
   * Bitwidths, descending, at which the network is trained before its own: nodes of fewer bits have that many, one after the
   * other, for equal parts of the steps; the last part is at the assignment. A network of few bits so starts from one of more
   * bits, which is easier to reach (Zhuang et al., "Towards Effective Low-bitwidth Convolutional Neural Networks", CVPR 2018,
   * arXiv 1711.00205). A scheme that does not have a bitwidth is continued by one that has, clip or residual. The learning rate
   * rises and falls anew with each, to half of its peak before the last. Bitwidths that change nothing take no steps.
   *
   * @example
   * const tuned = await autoqnn(model, { data, pin: { "*": { bits: 2 } } })
   *   .fineTune({ epochs: 9, progressive: [8, 4] }) // 3 epochs at 8 bits, 3 at 4, 3 at 2
   *   .run();
   */
  readonly progressive?: readonly number[] | undefined;
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

/**
 * Fine-tuning: trains with the quantizers in place, at higher bitwidths first where asked, down to a learning rate of zero, then
 * re-estimates batch norm.
 */
export async function tuneStage(
  bench: Workbench,
  start: Snapshot,
  assignment: Assignment,
  options: TuneStageOptions,
  watch: Watch,
): Promise<TuneRun> {
  const { recipe, graph } = bench;
  const { learningRate, scales, gradient: relaxation, progressive = [] } = options;
  const before = lowered(graph, start.signed, assignment, progressive);
  const steps = stepsOf(bench, options, EPOCHS);
  const share = Math.floor(steps / (before.length + 1));
  const parts: Trained[] = [];
  for (const { bits, assignment: higher } of before) {
    const schedule = searching(recipe, learningRate);
    const part = { steps: Math.max(1, share), schedule, watch, scales, relaxation };
    const from = parts.at(-1)?.snapshot ?? start;
    parts.push(await trainFixed(bench, `fine-tune at ${bits} bits`, from, higher, part));
  }
  const last = await trainFixed(bench, "fine-tune", parts.at(-1)?.snapshot ?? start, assignment, {
    steps: Math.max(1, steps - before.length * share),
    schedule: ending(recipe, learningRate),
    ...{ watch, scales, relaxation, diagnosed: true },
  });
  const trained = inTurn(parts, last);
  const { engine, train: source, batchSize, seed } = bench;
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
