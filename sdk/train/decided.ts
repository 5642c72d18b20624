import type { Trained, Watch } from "./loop.js";
import type { StageRun } from "./run.js";
import type { Snapshot } from "./snapshot.js";
import { type Contender, rank } from "./trial.js";
import { ended, type Workbench } from "./workbench.js";

/** A stage that has trained, and is to decide what it ends with. */
interface Undecided {
  readonly start: Snapshot;
  readonly trained: Trained;
  readonly steps: number;
  /** How many steps of a trial there are for one of the stage. */
  readonly trialShare: number;
  readonly options: {
    /** Whether what follows starts from the weights that the stage began with, instead of those that it left. */
    readonly restart: boolean;
    readonly trialSteps?: number | undefined;
    readonly learningRate: { readonly weights: number };
  };
  readonly watch: Watch;
}

/** What a stage that decides leaves. */
export interface Decided<C extends Contender> extends Omit<StageRun, "kind"> {
  readonly nodes: readonly string[];
  /** The best first. */
  readonly trials: readonly (Omit<C, "assignment" | "margin"> & Pick<StageRun, "validation">)[];
  readonly chosen: C["name"];
}

/** Ends a stage with the best of some contenders, as `rank` judges them, made from where the trials start. */
export async function decided<C extends Contender>(
  bench: Workbench,
  { start, trained, steps, trialShare, options, watch }: Undecided,
  contenders: (from: Snapshot) => Promise<readonly C[]>,
): Promise<Decided<C>> {
  const from = options.restart ? start : trained.snapshot;
  const tried = await rank(bench, from, await contenders(from), {
    steps: options.trialSteps ?? Math.ceil(steps * trialShare),
    peak: options.learningRate.weights / 2,
    watch,
  });
  const [{ contender, score, snapshot }] = tried;
  const { assignment, name } = contender;
  return {
    ...(await ended(bench, options, trained, { assignment, snapshot, score }, watch)),
    nodes: bench.graph.nodes.map(({ id }) => id),
    trials: tried.map(({ contender: { assignment: _, margin: __, ...own }, score }) => ({
      ...own,
      ...(score && { validation: score }),
    })),
    chosen: name,
  };
}
