import highs from "highs";
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

/** The variables that are 1 in an optimal solution; undefined when there is none. Exact up to the solver's tolerances. */
export type Solve = (program: IntegerProgram) => ReadonlySet<string> | undefined;

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

// The package's types describe its CommonJS form; the ES module exports the loader itself.
const load = highs as unknown as typeof highs.default;

let loading: ReturnType<typeof load> | undefined;

/** The HiGHS solver, set to prove optimality. One thread and a fixed seed: the same program, the same answer. */
export async function integerSolver(): Promise<IntegerSolver> {
  loading ??= load();
  const solver = await loading;
  const run = (program: IntegerProgram) => {
    const solution = solver.solve(format(program), {
      output_flag: false,
      mip_rel_gap: 0,
      mip_abs_gap: 0,
      mip_feasibility_tolerance: TOLERANCE,
      primal_feasibility_tolerance: TOLERANCE,
      dual_feasibility_tolerance: TOLERANCE,
      random_seed: 0,
    });
    if (solution.Status === "Infeasible") return undefined;
    if (solution.Status !== "Optimal") {
      throw new AutoqnnError(
        "engine",
        `Expected HiGHS to solve the integer program, received status "${solution.Status}".`,
        "Allow fewer bitwidths per node, or fewer limits at once.",
      );
    }
    const columns = solution.Columns as Record<string, { Primal?: number; Dual?: number }>;
    return { columns, objective: solution.ObjectiveValue };
  };
  return {
    solve: (program) => {
      const found = run(program);
      return found && new Set(program.binary.filter((name) => (found.columns[name]?.Primal ?? 0) > 0.5));
    },
    relaxed: (program) => {
      const found = run({ ...program, binary: [] });
      if (!found) return undefined;
      const { columns, objective } = found;
      // Each column's own error in the tolerance of its dual value.
      const bound = objective - TOLERANCE * Object.keys(columns).length;
      return { bound, rise: (variable) => Math.max(0, columns[variable]?.Dual ?? 0) };
    },
  };
}

/** CPLEX LP text. Rows are broken into short lines, which its readers require. */
function format({ objective, rows, binary }: IntegerProgram): string {
  const sum = (entries: readonly Entry[]): string =>
    entries.map(([name, c]) => `${c < 0 ? "-" : "+"} ${Math.abs(c)} ${name}\n`).join("");
  return [
    "Minimize",
    ` cost: ${sum(objective)}`,
    "Subject To",
    ...rows
      .filter(({ entries }) => entries.length > 0)
      .map(({ entries, sense, limit }, i) => ` r${i}: ${sum(entries)} ${sense} ${limit}`),
    ...(binary.length > 0 ? ["Binary", ...binary.map((name) => ` ${name}`)] : []),
    "End",
  ].join("\n");
}
