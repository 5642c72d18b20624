import { once } from "./once.js";
import { initialAssignment, missingData, type Origin } from "./origin.js";
import { keptOnSignals } from "./train/interruption.js";
import { Memory } from "./train/kept.js";
import type { Watch } from "./train/loop.js";
import type { Assignment } from "./train/policy.js";
import type { AnyRun } from "./train/run.js";
import type { Snapshot } from "./train/snapshot.js";
import { type Workbench, watchOf } from "./train/workbench.js";
import type { Written, WrittenStage } from "./written.js";

/** A stage of a plan: what it must find in order before any training, and its result, computed at most once. */
export interface Stage<R extends AnyRun = AnyRun> {
  readonly check: () => void;
  readonly result: () => Promise<R>;
  /** Lets go of what the process kept of it, and of the stages before it, in case they were interrupted. */
  readonly forget: () => void;
  readonly text: Written;
}

/** Where a stage starts. */
export interface Point {
  readonly bench: Workbench;
  readonly snapshot: Snapshot;
  readonly assignment: Assignment;
  readonly watch: Watch;
}

/** What a stage does, and how it was asked for. */
export interface Work<R extends AnyRun> {
  readonly asked: WrittenStage;
  /** The stage's options, of which those that watch it are taken. */
  readonly options: Parameters<typeof watchOf>[1];
  /** Throws for what cannot be done, before anything is. */
  readonly check?: () => void;
  readonly work: (from: Point) => Promise<R>;
}

/** A stage after another, or after none: it starts where that ended, or with what is calibrated. */
export function staged<R extends AnyRun>(
  origin: Origin,
  before: Stage | undefined,
  { asked, options, check, work }: Work<R>,
): Stage<R> {
  const { text } = before ?? origin;
  const memory = new Memory();
  return {
    text: { ...text, stages: [...text.stages, asked] },
    check: () => {
      if (!origin.data) missingData();
      before?.check();
      check?.();
    },
    result: once(async () => {
      const parent = await before?.result();
      const bench = { ...(await origin.bench()), memory };
      const watched = watchOf(bench, options);
      const snapshot = parent?.handedOn ?? parent?.snapshot ?? (await origin.calibrated(watched.signal));
      const assignment = parent?.assignment ?? initialAssignment(origin.graph, snapshot, () => "clip");
      const run = await keptOnSignals(watched, (watch) => work({ bench, snapshot, assignment, watch }));
      return parent ? ({ ...run, parent } as R) : run;
    }),
    forget: () => {
      before?.forget();
      memory.forget();
    },
  };
}

/** The result of a stage and of those before it, all of them checked before the first one begins. */
export async function checkedResult<R extends AnyRun>(stage: Stage<R>): Promise<R> {
  stage.check();
  const result = await stage.result();
  stage.forget();
  return result;
}
