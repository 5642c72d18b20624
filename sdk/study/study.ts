import type { KnownAxes } from "./axes.js";
import { type Cell, grid } from "./cell.js";
import { type CellContext, type Design, designOf, type PlanOf } from "./design.js";
import type { Judging } from "./measure.js";
import { resultOf, type StudyResult } from "./result.js";
import { type RunOptions, runHere } from "./run.js";
import type { AnyPlan } from "./trail.js";

/** How every cell's network is packed and judged. */
export interface StudyOptions {
  /** Options of `generate()`. */
  readonly generate?: Judging["generate"];
  /** Examples to judge on; by default the data's test split, or else its validation split. */
  readonly evaluate?: Judging["evaluate"];
}

/** A study over cells: lazy and immutable. */
export interface Study<C> {
  /** All cells, in the order in which they run: those whose plans begin alike are neighbours. */
  readonly cells: readonly Cell[];
  /** What it is made of, for what runs it. */
  readonly design: Design;
  /**
   * Does all cells that the file lacks, one after another, and keeps their results there. A cell that is done is never run
   * again, one that was interrupted goes on from its checkpoint, one that failed is a row with its error (and is tried
   * again by the next run). Stages that cells have in common are computed once.
   *
   * @param file a SQLite file, which is made where there is none; checkpoints lie beside it until all cells have run
   * @throws AutoqnnError `aborted` when `signal` fires; `bad-file`, before any work, for a file that cannot be written or that
   * holds results of another study.
   * @example
   * const result = await study(plan).over({ granularity: ["layer", "model"], seed: [0, 1, 2] }).run("granularity.sqlite");
   * result.effects("granularity");
   */
  run(file: string, options?: RunOptions): Promise<StudyResult<C>>;
}

/** Lists of values by axis. */
type Lists<C> = { readonly [K in keyof C]?: readonly C[K][] };

/** The axes of a grid, with the types of their values. */
type Over<A> = { readonly [K in keyof A]: A[K] extends readonly (infer V)[] ? V : never };

/** A study of a plan that is written out, before its cells are known. */
export interface PlanStudy {
  /** All combinations of the values. Axes are those of `KnownAxes`. */
  over<A extends Lists<KnownAxes>>(
    axes: A & { readonly [K in Exclude<keyof A, keyof KnownAxes>]: never },
  ): Study<Over<A>>;
  /** These cells; an axis that one leaves out has the plan's own value there. */
  cells(cells: readonly Partial<KnownAxes>[]): Study<Partial<KnownAxes>>;
}

/** A study of a function that makes a plan of a cell, before the cells are known. */
export interface FunctionStudy<C> {
  over(axes: { readonly [K in keyof C]: readonly C[K][] }): Study<C>;
  cells(cells: readonly C[]): Study<C>;
}

/**
 * Begins an ablation study: the same plan under many settings, with results in one file.
 *
 * A plan that is written out is given again for every cell, with the cell's values in their places: `granularity` and
 * `candidates` in its scheme search, `budget` in its precision learning, `seed` in the plan, `firstLast` as pins of the first and of the
 * last quantized layer. For anything else give a function from a cell, with axes of any names and types, to a plan.
 *
 * @throws AutoqnnError `bad-option`, before any work, for an unknown axis, one without values or without its stage, a cell
 * that is there twice, or a value that is no option of its stage.
 * @example
 * const plan = autoqnn(model, { data }).searchSchemes({ epochs: 1 }).learnPrecision({ epochs: 2 }).fineTune({ epochs: 2 });
 * const result = await study(plan)
 *   .over({ granularity: ["layer", "model"], budget: [{ averageBits: 2 }, { averageBits: 4 }], seed: [0, 1, 2] })
 *   .run("granularity.sqlite");
 * console.log(String(result));
 *
 * @example
 * study(async ({ depth, seed }: { depth: number; seed: number }, { shared, signal }) => {
 *   const model = residual(depth, seed);
 *   await pretrain(model, data, { seed, signal, checkpoint: shared("start", depth, seed) });
 *   return autoqnn(model, { data, seed }).learnPrecision();
 * }).over({ depth: [8, 20], seed: [0, 1, 2] });
 */
export function study(plan: AnyPlan, options?: StudyOptions): PlanStudy;
export function study<C extends object>(
  plan: (cell: C, context: CellContext) => AnyPlan | Promise<AnyPlan>,
  options?: StudyOptions,
): FunctionStudy<C>;
export function study(plan: AnyPlan | PlanOf, options: StudyOptions = {}): PlanStudy | FunctionStudy<object> {
  const { generate, evaluate } = options;
  const over = (cells: readonly Cell[]): Study<never> => {
    const design = designOf(plan, cells, { generate, evaluate });
    const run = async (file: string, given: RunOptions = {}): Promise<StudyResult<never>> =>
      resultOf((await runHere(design, file, given)).file);
    return Object.freeze({ cells: design.cells, design, run });
  };
  return Object.freeze({
    over: (axes: Readonly<Record<string, readonly unknown[]>>) => over(grid(axes)),
    cells: (cells: readonly Cell[]) => over(cells),
  }) as never;
}
