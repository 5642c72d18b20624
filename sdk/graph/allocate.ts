import { AutoqnnError } from "../errors.js";
import { type Budget, type BudgetRow, type Choices, reach, rows } from "./budget.js";
import type { QuantizedGraph } from "./graph.js";
import { greedy } from "./greedy.js";
import { integerSolver } from "./integer.js";
import { type Option, type Point, total } from "./points.js";
import { settle } from "./settle.js";

/** Whole bitwidths, and how they were found. */
export interface Allocation {
  readonly bits: Readonly<Record<string, number>>;
  /** The sum that was minimised, at the result. */
  readonly objective: number;
  /** By how much less the sum may be: 0 where it is the least. */
  readonly gap: number;
  /** Nodes whose bitwidth the objective leaves open, and the rule for ties decided. */
  readonly ties: readonly string[];
  /** Whether the search came to its end; without it the sum may be less by `gap`, and `ties` may lack some. */
  readonly proven: boolean;
}

/** What whole bitwidths are to be near to: learned real ones b_i by node id, or a cost of one's own of each. */
export type Aim =
  | { readonly target: Readonly<Record<string, number>>; readonly gamma: number }
  /** Not negative, and nowhere rising with the bits. */
  | { readonly cost: (node: string, bits: number) => number };

/**
 * Whole bitwidths k for learned real bitwidths b: minimises sum_i 4^(gamma * b_i - k_i), the squared quantization error that
 * each bit quarters, not weighted by size, or a sum of costs that the caller gives, subject to every limit of the budget
 * exactly, by integer program.
 *
 * Where several allocations are equally good, the nodes are gone through in the order of the graph (execution order, the
 * weights of a layer before its inputs) and each gets the most bits that an equally good allocation gives it; `ties` names
 * the nodes where that decided.
 *
 * With budgets on bit operations, which are products of bitwidths, the proof may have no end, the more so the more nodes are
 * equally good; the search is then broken off after a number of steps, and `gap` bounds what it may have missed.
 *
 * @param choices allowed bitwidths by node id, ascending
 * @throws AutoqnnError `infeasible-budget`, see `reach`; `bad-option` for a node without a target.
 * @example
 * const { bits } = await allocate({ graph, choices, target, gamma: 2, budget: { averageBits: 2 } });
 */
export async function allocate({
  graph,
  choices,
  budget,
  ...aim
}: { graph: QuantizedGraph; choices: Choices; budget: Budget } & Aim): Promise<Allocation> {
  reach(budget, graph, choices);
  const cost = "cost" in aim ? aim.cost : quartering(graph, aim);
  const limits = rows(budget, graph);
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
        ? { point: first, ties: [], gap: 0, proven: true }
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
    gap: found.reduce((sum, part) => sum + part.gap, 0),
    proven: found.every((part) => part.proven),
    ties: graph.nodes.map(({ id }) => id).filter((id) => open.has(id)),
  });
}

/** The squared quantization error 4^(gamma * b_i - k_i), which each bit quarters. */
function quartering(
  graph: QuantizedGraph,
  { target, gamma }: { target: Readonly<Record<string, number>>; gamma: number },
): (node: string, bits: number) => number {
  for (const { id } of graph.nodes) {
    if (Number.isFinite(target[id])) continue;
    throw new AutoqnnError(
      "bad-option",
      `Expected a real bitwidth for every node in target, received ${target[id]} at "${id}".`,
      "Give one number per node id; equal numbers let the budget alone decide.",
    );
  }
  return (node, bits) => 4 ** (gamma * target[node]! - bits);
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
