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
  const found = await Promise.all(
    separate(nodes, limits).map(async (part) => {
      const first = greedy(part.nodes, part.limits);
      return total(first) === 0
        ? { point: first, ties: [] }
        : settle(await integerSolver(), part.nodes, part.limits, first);
    }),
  );
  const point: Point = Object.assign({}, ...found.map((part) => part.point));
  const open = new Set(found.flatMap((part) => part.ties));
  const bits = Object.fromEntries(graph.nodes.map(({ id }) => [id, point[id]!.bits]));
  const objective = Object.entries(bits).reduce((sum, [node, value]) => sum + cost(node, value), 0);
  return Object.freeze({
    bits: Object.freeze(bits),
    objective,
    ties: graph.nodes.map(({ id }) => id).filter((id) => open.has(id)),
  });
}

/** The nodes in groups that no limit connects, each with its limits: a limit on weights says nothing of inputs. */
function separate(
  nodes: readonly (readonly Option[])[],
  limits: readonly BudgetRow[],
): { nodes: (readonly Option[])[]; limits: BudgetRow[] }[] {
  const touched = limits.map(
    (row) =>
      new Set([...row.terms.map(({ node }) => node), ...row.products.flatMap((p) => [p.weight, p.input])]),
  );
  const group = new Map(nodes.map(([option], n) => [option!.node, n]));
  for (const set of touched) {
    const joined = new Set([...set].map((node) => group.get(node)!));
    const into = Math.min(...joined);
    for (const [node, n] of group) if (joined.has(n)) group.set(node, into);
  }
  return [...new Set(group.values())].map((n) => ({
    nodes: nodes.filter(([option]) => group.get(option!.node) === n),
    limits: limits.filter((_, i) => [...touched[i]!].some((node) => group.get(node) === n)),
  }));
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
    const open =
      known.some((point) => point[node]!.bits !== known[0]![node]!.bits) ||
      problem({ within, fixed, below: { node, bits: most }, minimise: () => 0 }) !== undefined;
    const chosen = (above ?? known.find((point) => point[node]!.bits === most)!)[node]!;
    if (open) ties.push(node);
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
    return [
      { entries: [...parts.map(({ z }): Entry => [z, 1]), ...whole], sense: "=", limit: 0 },
      ...parts.flatMap(({ w, z }): IntegerProgram["rows"][number][] => [
        {
          entries: [
            [z, 1],
            [w, -most],
          ],
          sense: "<=",
          limit: 0,
        },
        {
          entries: [
            [z, 1],
            [w, -least],
          ],
          sense: ">=",
          limit: 0,
        },
      ]),
    ];
  });
  return { name, rows };
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
