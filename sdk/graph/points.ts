import { type BudgetRow, holds } from "./budget.js";
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

/**
 * Finds points within limits by integer program. Every point returned keeps every limit in exact arithmetic: one that only
 * the solver's tolerance let pass is cut off.
 */
export function within(
  limits: readonly BudgetRow[],
  nodes: readonly (readonly Option[])[],
  solve: Solve,
): (query: Query) => Point | undefined {
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
    if (open.some((options) => options.length === 0)) return undefined;
    const all = open.flat();
    const products = productVariables(open, limits);
    for (;;) {
      const chosen = solve({
        objective: scaled(all.map((option) => [option.variable, minimise(option)] as const)),
        rows: [
          ...open.map((options) => ({ entries: options.map(one), sense: "=" as const, limit: 1 })),
          limited(
            all.map((option) => [option.variable, option.cost] as const),
            atMost,
          ),
          ...limits.map((row) => limited(entries(row, open, products.name), row.limit - row.constant)),
          ...products.rows,
          ...(except ? [unlike(Object.values(except))] : []),
          ...cuts,
        ],
        binary: all.map((option) => option.variable),
      });
      if (!chosen) return undefined;
      const picked = all.filter((option) => chosen.has(option.variable));
      const point: Point = Object.fromEntries(picked.map((option) => [option.node, option]));
      const bits = Object.fromEntries(picked.map((option) => [option.node, option.bits]));
      if (limits.every((row) => holds(row, bits))) return point;
      cuts.push(unlike(picked));
    }
  };
}

/**
 * The options that may be in a point of no more than some cost. In the program without whole numbers a choice has a reduced
 * cost, which the sum rises by at least where it is taken: one that leads above what is allowed is in no such point.
 */
export function thinned(
  limits: readonly BudgetRow[],
  nodes: readonly (readonly Option[])[],
  { relaxed }: IntegerSolver,
): (atMost: number) => (readonly Option[])[] {
  const all = nodes.flat();
  const largest = Math.max(...all.map(({ cost }) => cost));
  const products = productVariables(nodes, limits);
  const found = relaxed({
    objective: scaled(all.map((option) => [option.variable, option.cost] as const)),
    rows: [
      ...nodes.map((options) => ({ entries: options.map(one), sense: "=" as const, limit: 1 })),
      ...limits.map((row) => limited(entries(row, nodes, products.name), row.limit - row.constant)),
      ...products.rows,
    ],
    binary: [],
  });
  if (!found) return () => [...nodes];
  return (atMost) =>
    nodes.map((options) =>
      options.filter(({ variable }) => ((found.bound + found.rise(variable)) / SCALE) * largest <= atMost),
    );
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

/** A row as a function of the variables: bits * x for every option, bits * z for every option of a weight in a product. */
function entries(
  row: BudgetRow,
  open: readonly (readonly Option[])[],
  product: (weight: Option, input: string) => string,
): Entry[] {
  const at = new Map(open.map((options) => [options[0]!.node, options]));
  return [
    ...row.terms.flatMap(({ node, coefficient }) =>
      at.get(node)!.map((option): Entry => [option.variable, coefficient * option.bits]),
    ),
    ...row.products.flatMap(({ weight, input, coefficient }) =>
      at.get(weight)!.map((w): Entry => [product(w, input), coefficient * w.bits]),
    ),
  ];
}

/**
 * For an option w of a weight, z_w = w * (bits of the input): the z_w of a pair add up to the input's bits, and each lies
 * between w times the least and w times the most of them.
 */
function productVariables(open: readonly (readonly Option[])[], limits: readonly BudgetRow[]) {
  const at = new Map(open.map((options) => [options[0]!.node, options]));
  const name = (weight: Option, input: string): string => `z${weight.variable}${at.get(input)![0]!.variable}`;
  const products = limits.flatMap((row) => row.products);
  const pairs = [...new Map(products.map((p) => [`${p.weight} ${p.input}`, p])).values()];
  const rows: IntegerProgram["rows"][number][] = pairs.flatMap(({ weight, input }) => {
    const inputs = at.get(input)!;
    const parts = at.get(weight)!.map((w) => ({ w: w.variable, z: name(w, input) }));
    const whole = inputs.map((i): Entry => [i.variable, -i.bits]);
    const [least, most] = [inputs[0]!.bits, inputs.at(-1)!.bits];
    const difference = (z: string, w: string, bits: number): Entry[] => [
      [z, 1],
      [w, -bits],
    ];
    return [
      { entries: [...parts.map(({ z }): Entry => [z, 1]), ...whole], sense: "=", limit: 0 },
      ...parts.flatMap(({ w, z }): IntegerProgram["rows"][number][] => [
        { entries: difference(z, w, most), sense: "<=", limit: 0 },
        { entries: difference(z, w, least), sense: ">=", limit: 0 },
      ]),
    ];
  });
  return { name, rows };
}
