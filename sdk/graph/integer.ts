import highs, { type Highs, type Model } from "highs";
import { AutoqnnError } from "../errors.js";

/** Minimise a sum under linear rows; variables that are not `binary` are any number from 0. */
export interface IntegerProgram {
  readonly objective: readonly Entry[];
  readonly rows: readonly {
    readonly entries: readonly Entry[];
    readonly sense: "<=" | "=" | ">=";
    readonly limit: number;
  }[];
  readonly binary: readonly string[];
}

export type Entry = readonly [variable: string, coefficient: number];

/** A solution, exact up to the solver's tolerances, or the best of those that were found before the search was broken off. */
export interface Solution {
  /** The variables that are 1; undefined where no solution was found. */
  readonly chosen: ReadonlySet<string> | undefined;
  /** Whether none is better, or there is none. */
  readonly proven: boolean;
}

export type Solve = (program: IntegerProgram) => Solution;

export interface IntegerSolver {
  readonly solve: Solve;
  /**
   * The program with variables that need not be whole: a bound below every solution, and by how much it rises at least where
   * a variable is 1. Undefined where not even that has a solution.
   */
  readonly relaxed: (
    program: IntegerProgram,
  ) => { readonly bound: number; readonly rise: (variable: string) => number } | undefined;
}

/** Far below the scale of a row (1000) and above what doubles resolve on it. */
const TOLERANCE = 1e-7;

/** Scale of rows and objectives. */
export const SCALE = 1000;

/**
 * Nodes of the search tree, and nodes times variables, after which a search is broken off: some seconds. Counts and no time,
 * so that a program has one answer on every machine.
 */
const NODES = 8000;
const WORK = 2_000_000;

// The package's types describe its CommonJS form; the ES module exports the loader itself.
const load = highs as unknown as typeof highs.default;

let loading: Promise<Highs> | undefined;

/** The HiGHS solver, set to prove optimality. One thread and a fixed seed: the same program, the same answer. */
export async function integerSolver(): Promise<IntegerSolver> {
  loading ??= load();
  const runtime = await loading;
  const run = <T>(program: IntegerProgram, read: (model: Model, columns: readonly string[]) => T) => {
    const columns = columnsOf(program);
    const model = runtime.createModel(dataOf(program, columns, runtime));
    try {
      model.options.set({
        output_flag: false,
        mip_rel_gap: 0,
        mip_abs_gap: 0,
        mip_feasibility_tolerance: TOLERANCE,
        primal_feasibility_tolerance: TOLERANCE,
        dual_feasibility_tolerance: TOLERANCE,
        random_seed: 0,
        mip_max_nodes: Math.min(NODES, Math.ceil(WORK / columns.length)),
      });
      model.run();
      return read(model, columns);
    } finally {
      model.dispose();
    }
  };
  // The limit on nodes counts as one on solutions.
  const { optimal, infeasible, solutionLimit } = runtime.constants.modelStatus;
  const { feasible } = runtime.constants.solutionStatus;
  return {
    solve: (program) =>
      run(program, (model, columns) => {
        const status = model.getModelStatus();
        if (status === infeasible) return { chosen: undefined, proven: true };
        const proven = status === optimal;
        if (!proven && status !== solutionLimit) throw unsolved(status);
        const found = proven || model.info.get("primal_solution_status") === feasible;
        if (!found) return { chosen: undefined, proven };
        const { colValue } = model.getSolution();
        return { chosen: new Set(columns.filter((_, j) => colValue[j]! > 0.5)), proven };
      }),
    relaxed: (program) =>
      run({ ...program, binary: [] }, (model, columns) => {
        const status = model.getModelStatus();
        if (status === infeasible) return undefined;
        if (status !== optimal) throw unsolved(status);
        const { colDual } = model.getSolution();
        const rises = new Map(columns.map((name, j) => [name, Math.max(0, colDual[j]!)]));
        // Each column's own error in the tolerance of its dual value.
        const bound = model.getObjectiveValue() - TOLERANCE * columns.length;
        return { bound, rise: (variable) => rises.get(variable) ?? 0 };
      }),
  };
}

const columnsOf = ({ objective, rows, binary }: IntegerProgram): string[] => [
  ...new Set([...binary, ...[objective, ...rows.map(({ entries }) => entries)].flat().map(([name]) => name)]),
];

/** A program as HiGHS takes it. */
function dataOf(
  { objective, rows, binary }: IntegerProgram,
  columns: readonly string[],
  { constants, infinity }: Highs,
): Parameters<Highs["createModel"]>[0] {
  const place = new Map(columns.map((name, j) => [name, j]));
  const whole = new Set(binary);
  const each = <T>(value: (name: string) => T): T[] => columns.map(value);
  const costs = summed(objective);
  const { integer, continuous } = constants.variableType;
  const starts = [0];
  const entries: Entry[] = [];
  for (const row of rows) starts.push(entries.push(...summed(row.entries)));
  const size = { numRows: rows.length, numCols: columns.length };
  return {
    ...size,
    colCost: each((name) => costs.get(name) ?? 0),
    colLower: each(() => 0),
    colUpper: each((name) => (whole.has(name) ? 1 : infinity)),
    rowLower: rows.map(({ sense, limit }) => (sense === "<=" ? -infinity : limit)),
    rowUpper: rows.map(({ sense, limit }) => (sense === ">=" ? infinity : limit)),
    matrix: {
      ...{ ...size, format: "csr", starts },
      indices: entries.map(([name]) => place.get(name)!),
      values: entries.map(([, value]) => value),
    },
    integrality: each((name) => (whole.has(name) ? integer : continuous)),
  };
}

/** Each variable once. */
function summed(entries: readonly Entry[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [name, value] of entries) sums.set(name, (sums.get(name) ?? 0) + value);
  return sums;
}

const unsolved = (status: number): AutoqnnError =>
  new AutoqnnError(
    "engine",
    `Expected HiGHS to solve the program, received status ${status}.`,
    "Allow fewer bitwidths per node, or fewer limits at once.",
  );
