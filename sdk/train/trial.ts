import type { Watch } from "./loop.js";
import { type Assignment, fixedPolicy } from "./policy.js";
import { reestimate } from "./reestimate.js";
import type { Score } from "./run.js";
import type { Snapshot } from "./snapshot.js";
import { trainFixed } from "./tune.js";
import { validate, type Workbench } from "./workbench.js";

/** One of several assignments that a stage could end with. */
export interface Contender<N extends string = string> {
  readonly name: N;
  readonly assignment: Assignment;
  /** The part of its loss by which it must lie below the others, where trials flatter it; 0 where absent. */
  readonly margin?: number;
}

/** What a contender gave: where its short fine-tune ended, and how good it was there. No score where it was alone. */
export interface Tried<C extends Contender> {
  readonly contender: C;
  readonly snapshot: Snapshot;
  readonly score?: Score;
}

/** Batches from which moving averages are re-estimated before a contender is judged. */
const BATCHES = 20;

/**
 * Compares assignments by a short fine-tune each, all from `start`, and puts the one with the least loss on held-out data,
 * margins added, first. Moving averages are re-estimated before judging: after so few steps they would decide more than the assignment.
 *
 * @param peak the learning rate that the trials start at, best the one at which the stage before them ended
 */
export async function rank<C extends Contender>(
  bench: Workbench,
  start: Snapshot,
  contenders: readonly C[],
  { steps, peak, watch }: { steps: number; peak: number; watch: Watch },
): Promise<readonly [Tried<C>, ...Tried<C>[]]> {
  const tried: (Tried<C> & { score: Score })[] = [];
  if (contenders.length === 1) return [{ contender: contenders[0]!, snapshot: start }];
  for (const contender of contenders) {
    const { name, assignment } = contender;
    const schedule = { peak, warmup: 10, floor: 0.5 };
    const trained = await trainFixed(bench, `try ${name}`, start, assignment, { steps, schedule, watch });
    const policy = fixedPolicy(assignment);
    const { engine, graph, train, batchSize, seed } = bench;
    const settings = { batchSize, batches: BATCHES, seed, signal: watch.signal };
    const snapshot = await reestimate(engine, graph, trained.snapshot, policy, train, settings);
    tried.push({ contender, snapshot, score: await validate(bench, snapshot, policy, watch) });
  }
  const judged = ({ score, contender: { margin = 0 } }: (typeof tried)[number]): number =>
    score.loss * (1 + margin);
  const [first, ...rest] = tried.sort((a, b) => judged(a) - judged(b));
  return [first!, ...rest];
}
