import { type Budget, type BudgetRow, type Choices, holds, reach, rows } from "./budget.js";
import type { QuantizedGraph } from "./graph.js";
import { type Entry, type IntegerProgram, integerSolver, SCALE, type Solve } from "./integer.js";

/** Whole bitwidths, and how they were found. */
export interface Allocation {
  readonly bits: Readonly<Record<string, number>>;
  /** sum_i 4^(gamma * b_i - k_i) at the result. */
  readonly objective: number;
  /** Nodes whose bitwidth the objective leaves open, and the rule for ties decided. */
  readonly ties: readonly string[];
}

/** Objectives that differ by less than this part of the avoidable cost count as equal. */
const TIE = 1e-7;

/** A node's bitwidth as one binary variable per choice. */
interface Option {
  readonly node: string;
  readonly bits: number;
  readonly variable: string;
  /** 4^(gamma * b - k), less what the largest choice costs and no choice can save. */
  readonly cost: number;
}

/** One choice per node. */
type Point = Readonly<Record<string, Option>>;

/**
 * Whole bitwidths k for learned real bitwidths b: minimises sum_i 4^(gamma * b_i - k_i), the squared quantization error that
 * each bit quarters, not weighted by size, subject to every limit of the budget exactly, by integer program.
 *
 * Where several allocations are equally good, the nodes are gone through in the order of the graph (execution order, the
 * weights of a layer before its inputs) and each gets the most bits that an equally good allocation gives it; `ties` names
 * the nodes where that decided.
 *
 * @param target b_i by node id
 * @param choices allowed bitwidths by node id, ascending
 * @throws AutoqnnError `infeasible-budget`; see `reach`.
 * @example
 * const { bits } = await allocate({ graph, choices, target, gamma: 2, budget: { averageBits: 2 } });
 */
export async function allocate({
  graph,
  choices,
  target,
  gamma,
  budget,
}: {
  graph: QuantizedGraph;
  choices: Choices;
  target: Readonly<Record<string, number>>;
  gamma: number;
  budget: Budget;
}): Promise<Allocation> {
  reach(budget, graph, choices);
  const limits = rows(budget, graph);
  const cost = (node: string, bits: number): number => 4 ** (gamma * (target[node] ?? 0) - bits);
  const nodes = graph.nodes.map(({ id }, n) =>
    choices[id]!.map((bits, c) => ({
      node: id,
      bits,
      variable: `x${n}_${c}`,
      cost: cost(id, bits) - cost(id, choices[id]!.at(-1)!),
    })),
  );
  const first = greedy(nodes, limits);
  const { point, ties } =
    total(first) === 0 ? { point: first, ties: [] } : settle(await integerSolver(), nodes, limits, first);
  const bits = Object.fromEntries(Object.entries(point).map(([node, option]) => [node, option.bits]));
  const objective = Object.entries(bits).reduce((sum, [node, value]) => sum + cost(node, value), 0);
  return Object.freeze({ bits: Object.freeze(bits), objective, ties });
}

/** The best point, and among equally good ones the first by the rule. */
function settle(
  solve: Solve,
  nodes: readonly (readonly Option[])[],
  limits: readonly BudgetRow[],
  first: Point,
): { point: Point; ties: string[] } {
  const problem = exactly(solve, nodes, limits);
  const best = problem({ within: total(first), minimise: (option) => option.cost }) ?? first;
  const within = Math.min(total(best), total(first)) * (1 + TIE);

  const fixed: Option[] = [];
  const ties: string[] = [];
  let known: Point[] = [total(best) <= total(first) ? best : first];
  for (const options of nodes) {
    const [{ node }] = options as [Option];
    if (known.length === 1) {
      const other = problem({ within, fixed, except: known[0]!, minimise: () => 0 });
      if (!other) break;
      known.push(other);
    }
    const most = Math.max(...known.map((point) => point[node]!.bits));
    const above = problem({
      within,
      fixed,
      above: { node, bits: most },
      minimise: (o) => (o.node === node ? -o.bits : 0),
    });
    if (above) known.push(above);
    const below = problem({ within, fixed, below: { node, bits: most }, minimise: () => 0 });
    const chosen = (above ?? known.find((point) => point[node]!.bits === most)!)[node]!;
    if (above || below) ties.push(node);
    fixed.push(chosen);
    known = known.filter((point) => point[node] === chosen);
  }
  return { point: known[0]!, ties };
}

interface Query {
  /** The objective may not exceed this. */
  readonly within: number;
  readonly minimise: (option: Option) => number;
  readonly fixed?: readonly Option[];
  readonly except?: Point;
  readonly above?: { readonly node: string; readonly bits: number };
  readonly below?: { readonly node: string; readonly bits: number };
}

/** Answers queries with points that keep every limit in exact arithmetic: one the solver's tolerance let pass is cut off. */
function exactly(
  solve: Solve,
  nodes: readonly (readonly Option[])[],
  limits: readonly BudgetRow[],
): (query: Query) => Point | undefined {
  const cuts: IntegerProgram["rows"][number][] = [];
  return ({ within, minimise, fixed = [], except, above, below }) => {
    const kept = new Set(fixed.map((option) => option.variable));
    const settled = new Set(fixed.map((option) => option.node));
    const open = nodes.map((options) =>
      options.filter((option) => {
        if (settled.has(option.node)) return kept.has(option.variable);
        if (above?.node === option.node && option.bits <= above.bits) return false;
        if (below?.node === option.node && option.bits >= below.bits) return false;
        // An option that alone costs more than the whole may cost is in no such point.
        return option.cost <= within;
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
            within,
          ),
          ...limits.map((row) => limited(entries(row, open, products.name), row.limit - row.constant)),
          ...products.rows,
          ...(except ? [unlike(Object.values(except))] : []),
          ...cuts,
        ],
        binary: all.map((option) => option.variable),
        continuous: products.variables,
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

/** A row as a function of the binary variables: bits * x for every option, bits * bits * y for every pair in a product. */
function entries(
  row: BudgetRow,
  open: readonly (readonly Option[])[],
  pair: (weight: Option, input: Option) => string,
): Entry[] {
  const at = new Map(open.map((options) => [options[0]!.node, options]));
  return [
    ...row.terms.flatMap(({ node, coefficient }) =>
      at.get(node)!.map((option): Entry => [option.variable, coefficient * option.bits]),
    ),
    ...row.products.flatMap(({ weight, input, coefficient }) =>
      at
        .get(weight)!
        .flatMap((w) => at.get(input)!.map((i): Entry => [pair(w, i), coefficient * w.bits * i.bits])),
    ),
  ];
}

/** For options w and i of a product, y = w * i: sum over i of y is w, sum over w of y is i, and so y is whole where they are. */
function productVariables(open: readonly (readonly Option[])[], limits: readonly BudgetRow[]) {
  const at = new Map(open.map((options) => [options[0]!.node, options]));
  const name = (weight: Option, input: Option): string => `y${weight.variable}${input.variable}`;
  const pairs = new Map(
    limits.flatMap((row) =>
      row.products.map((p) => [`${p.weight} ${p.input}`, [at.get(p.weight)!, at.get(p.input)!]] as const),
    ),
  );
  const equal = (variable: string, parts: readonly string[]): IntegerProgram["rows"][number] => ({
    entries: [[variable, -1], ...parts.map((part): Entry => [part, 1])],
    sense: "=",
    limit: 0,
  });
  const rows = [...pairs.values()].flatMap(([weights, inputs]) => [
    ...weights!.map((w) =>
      equal(
        w.variable,
        inputs!.map((i) => name(w, i)),
      ),
    ),
    ...inputs!.map((i) =>
      equal(
        i.variable,
        weights!.map((w) => name(w, i)),
      ),
    ),
  ]);
  const variables = [...pairs.values()].flatMap(([weights, inputs]) =>
    weights!.flatMap((w) => inputs!.map((i) => name(w, i))),
  );
  return { name, rows, variables };
}

/** From the least bitwidths, one step up at a time where it saves most, as long as the limits hold. */
function greedy(nodes: readonly (readonly Option[])[], limits: readonly BudgetRow[]): Point {
  const level = nodes.map(() => 0);
  const bits = Object.fromEntries(nodes.map((options) => [options[0]!.node, options[0]!.bits]));
  for (;;) {
    const steps = nodes
      .map((options, n) => ({ n, from: options[level[n]!]!, to: options[level[n]! + 1] }))
      .filter(({ from, to }) => to && limits.every((row) => holds(row, { ...bits, [from.node]: to.bits })))
      .sort((a, b) => b.from.cost - b.to!.cost - (a.from.cost - a.to!.cost));
    const [best] = steps;
    if (!best) return Object.fromEntries(nodes.map((options, n) => [options[0]!.node, options[level[n]!]!]));
    level[best.n]!++;
    bits[best.from.node] = best.to!.bits;
  }
}

const total = (point: Point): number => Object.values(point).reduce((sum, { cost }) => sum + cost, 0);
