import { type BudgetRow, holds } from "./budget.js";
import { groups } from "./groups.js";
import { type Entry, type IntegerProgram, type IntegerSolver, SCALE, type Solve } from "./integer.js";

/** A node's bitwidth as one binary variable per choice. */
export interface Option {
  readonly node: string;
  readonly bits: number;
  readonly variable: string;
  /** 4^(gamma * b - k), less what the largest choice costs and no choice can save. */
  readonly cost: number;
}

/** One choice per node. */
export type Point = Readonly<Record<string, Option>>;

/** What is asked of a point, beyond keeping the limits. */
export interface Query {
  /** The objective may not exceed this. */
  readonly atMost: number;
  /** The point returned is one with the least sum of this. */
  readonly minimise: (option: Option) => number;
  /** Options that must be in it. */
  readonly fixed?: readonly Option[];
  /** A point that it must differ from. */
  readonly except?: Point;
  /** More, or fewer, bits than these at a node. */
  readonly above?: { readonly node: string; readonly bits: number };
  readonly below?: { readonly node: string; readonly bits: number };
}

/** The point that a query asks for. */
export interface Answer {
  /** Undefined where none was found. */
  readonly point: Point | undefined;
  /** Whether there is no better one, or none; false where the search was broken off. */
  readonly proven: boolean;
}

/**
 * Finds points within limits by integer program. Every point returned keeps every limit in exact arithmetic: one that only
 * the solver's tolerance let pass is cut off.
 */
export function within(
  limits: readonly BudgetRow[],
  nodes: readonly (readonly Option[])[],
  solve: Solve,
): (query: Query) => Answer {
  const cuts: IntegerProgram["rows"][number][] = [];
  return ({ atMost, minimise, fixed = [], except, above, below }) => {
    const kept = new Set(fixed.map((option) => option.variable));
    const settled = new Set(fixed.map((option) => option.node));
    const open = nodes.map((options) =>
      options.filter((option) => {
        if (settled.has(option.node)) return kept.has(option.variable);
        if (above?.node === option.node && option.bits <= above.bits) return false;
        if (below?.node === option.node && option.bits >= below.bits) return false;
        // An option that alone costs more than the whole may cost is in no such point.
        return option.cost <= atMost;
      }),
    );
    if (open.some((options) => options.length === 0)) return { point: undefined, proven: true };
    const all = open.flat();
    const products = productVariables(open, limits);
    for (;;) {
      const { chosen, proven } = solve({
        objective: scaled(all.map((option) => [option.variable, minimise(option)] as const)),
        rows: [
          ...open.map((options) => ({ entries: options.map(one), sense: "=" as const, limit: 1 })),
          limited(
            all.map((option) => [option.variable, option.cost] as const),
            atMost,
          ),
          ...limits.map((row) => limited(entries(row, open, products.both), row.limit - row.constant)),
          ...products.rows,
          ...(except ? [unlike(Object.values(except))] : []),
          ...cuts,
        ],
        binary: all.map((option) => option.variable),
      });
      if (!chosen) return { point: undefined, proven };
      const picked = all.filter((option) => chosen.has(option.variable));
      const point: Point = Object.fromEntries(picked.map((option) => [option.node, option]));
      const bits = Object.fromEntries(picked.map((option) => [option.node, option.bits]));
      if (limits.every((row) => holds(row, bits))) return { point, proven };
      cuts.push(unlike(picked));
    }
  };
}

/**
 * The options that may be in a point of no more than some cost. In the program without whole numbers a variable has a reduced
 * cost, which the sum rises by at least where it is 1; an option that is taken makes one product variable of each of its pairs
 * 1 as well. One that so leads above what is allowed is in no such point.
 */
export function thinned(
  limits: readonly BudgetRow[],
  nodes: readonly (readonly Option[])[],
  { relaxed }: IntegerSolver,
): { readonly least: number; readonly few: (atMost: number) => (readonly Option[])[] } {
  const all = nodes.flat();
  const largest = Math.max(...all.map(({ cost }) => cost));
  const products = productVariables(nodes, limits);
  const found = relaxed({
    objective: scaled(all.map((option) => [option.variable, option.cost] as const)),
    rows: [
      ...nodes.map((options) => ({ entries: options.map(one), sense: "=" as const, limit: 1 })),
      ...limits.map((row) => limited(entries(row, nodes, products.both), row.limit - row.constant)),
      ...products.rows,
    ],
    binary: [],
  });
  if (!found) return { least: 0, few: () => [...nodes] };
  const least = (names: readonly string[]): number => Math.min(...names.map(found.rise));
  const rise = (option: Option): number =>
    products.of(option).reduce((sum, names) => sum + least(names), found.rise(option.variable));
  const reached = new Map(all.map((option) => [option, ((found.bound + rise(option)) / SCALE) * largest]));
  return {
    least: (found.bound / SCALE) * largest,
    few: (atMost) => nodes.map((options) => options.filter((option) => reached.get(option)! <= atMost)),
  };
}

/** What the options of a point cost together. */
export const total = (point: Point): number => Object.values(point).reduce((sum, { cost }) => sum + cost, 0);

const one = (option: Option): Entry => [option.variable, 1];

/** At least one variable of the point is left. */
function unlike(point: readonly Option[]): IntegerProgram["rows"][number] {
  return { entries: point.map(one), sense: "<=", limit: point.length - 1 };
}

/** entries <= limit, scaled so that the solver's tolerances are small against it. */
function limited(values: readonly Entry[], limit: number): IntegerProgram["rows"][number] {
  const factor = limit > 0 ? SCALE / limit : 1;
  return {
    entries: values.map(([name, c]) => [name, c * factor] as const),
    sense: "<=",
    limit: limit * factor,
  };
}

function scaled(values: readonly Entry[]): Entry[] {
  const largest = Math.max(...values.map(([, c]) => Math.abs(c)), 0);
  return largest === 0 ? [...values] : values.map(([name, c]) => [name, (c / largest) * SCALE] as const);
}

/** A row as a function of the variables: bits * x for every option, bits of both * y for every two options in a product. */
function entries(
  row: BudgetRow,
  open: readonly (readonly Option[])[],
  both: (weight: Option, input: Option) => string,
): Entry[] {
  const at = new Map(open.map((options) => [options[0]!.node, options]));
  return [
    ...row.terms.flatMap(({ node, coefficient }) =>
      at.get(node)!.map((option): Entry => [option.variable, coefficient * option.bits]),
    ),
    ...row.products.flatMap(({ weight, input, coefficient }) =>
      at
        .get(weight)!
        .flatMap((w) => at.get(input)!.map((i): Entry => [both(w, i), coefficient * w.bits * i.bits])),
    ),
  ];
}

/**
 * For options w of a weight and i of an input that are multiplied, y is 1 where both are chosen: over the options of either,
 * the y with one of the other add up to it. Without whole numbers nothing linear is closer to the products of a pair.
 */
function productVariables(open: readonly (readonly Option[])[], limits: readonly BudgetRow[]) {
  const at = new Map(open.map((options) => [options[0]!.node, options]));
  const both = (weight: Option, input: Option): string => `y${weight.variable}${input.variable}`;
  const products = limits.flatMap((row) => row.products);
  const pairs = [...new Map(products.map((p) => [`${p.weight} ${p.input}`, p])).values()];
  const sums = pairs.flatMap(({ weight, input }) => {
    const [weights, inputs] = [at.get(weight)!, at.get(input)!];
    return [
      ...weights.map((w) => ({ of: w, names: inputs.map((i) => both(w, i)) })),
      ...inputs.map((i) => ({ of: i, names: weights.map((w) => both(w, i)) })),
    ];
  });
  const rows = sums.map(({ of, names }): IntegerProgram["rows"][number] => ({
    entries: [...names.map((name): Entry => [name, 1]), [of.variable, -1]],
    ...{ sense: "=", limit: 0 },
  }));
  const byOption = groups(sums, ({ of }) => of);
  const of = (option: Option) => (byOption.get(option) ?? []).map(({ names }) => names);
  return { both, rows, of };
}
