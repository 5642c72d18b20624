import { AutoqnnError } from "../errors.js";
import {
  activationCost,
  type Bits,
  type Cost,
  costAt,
  elementsOf,
  FLOAT_BITS,
  operationCost,
  sizeCost,
} from "./costs.js";
import type { QuantizedGraph } from "./graph.js";
import { memoryCosts } from "./memory.js";

/** A limit in its own unit, or as a factor ("16x") by which the cost falls below that of 32 bits at every node. */
export type Limit = number | `${number}x`;

/** What the final bitwidths may cost. Several limits hold at once, each exactly. */
export interface Budget {
  /** Mean bits, weighted by elements. A number holds for weights and for activations, each by itself. */
  readonly averageBits?:
    | number
    | { readonly weights?: number | undefined; readonly activations?: number | undefined }
    | undefined;
  /** Bytes of all weight codes. */
  readonly modelSize?: Limit | undefined;
  /** Bytes of weights and the largest live activations of one sample; see `memoryCosts`. */
  readonly memory?: Limit | undefined;
  /** Bit operations per sample; see `operationCost`. */
  readonly bitOperations?: Limit | undefined;
}

/** One inequality of a budget, cost(b) <= limit, in bits or bit operations. */
export interface BudgetRow extends Cost {
  readonly limit: number;
  /** The limit a user wrote, and cost per unit of it: bits per byte, elements per average bit. */
  readonly option: string;
  readonly unit: { readonly name: string; readonly cost: number };
}

/** Bitwidths a node may have, ascending, by node id. */
export type Choices = Readonly<Record<string, readonly number[]>>;

/**
 * A budget as inequalities in the nodes' bitwidths, real or whole. Memory gives a row for each layer call during which it
 * may be largest. Rows that a row of another limit implies are left out.
 *
 * @throws AutoqnnError `bad-option` when the budget has no limit or one that is not a positive number.
 * @example
 * rows({ averageBits: { weights: 2 } }, graph)[0]; // { name: "average bits of weights", limit: 2 * elements, ... }
 */
export function rows(budget: Budget, graph: QuantizedGraph): BudgetRow[] {
  const found = allRows(budget, graph);
  const implied = implications();
  return found.filter(
    (row, i) => !found.some((other, j) => implied(row, other) && (j < i || !implied(other, row))),
  );
}

function allRows(budget: Budget, graph: QuantizedGraph): BudgetRow[] {
  const { averageBits, modelSize, memory, bitOperations } = budget;
  const size = sizeCost(graph);
  const bytes = { name: "bytes", cost: 8 };
  const operations = { name: "bit operations", cost: 1 };
  const averages =
    typeof averageBits === "object" ? averageBits : { weights: averageBits, activations: averageBits };
  const found = [
    ...average("weights", averages.weights, size),
    ...average("activations", averages.activations, activationCost(graph)),
    ...limited("modelSize", modelSize, [size], bytes),
    ...limited("memory", memory, memory === undefined ? [] : memoryCosts(graph), bytes),
    ...limited("bitOperations", bitOperations, [operationCost(graph)], operations),
  ];
  if (
    Object.values({ ...averages, modelSize, memory, bitOperations }).every((limit) => limit === undefined)
  ) {
    throw new AutoqnnError(
      "bad-option",
      `Expected a limit in the budget, received ${JSON.stringify(budget)}.`,
      "Give averageBits, modelSize, memory or bitOperations, or several.",
    );
  }
  return found;
}

/**
 * Checks that some choice of bitwidths keeps the budget, and says between which values every cost can lie.
 *
 * @throws AutoqnnError `infeasible-budget` with the least reachable value of every limit that is too low, the nodes that
 * cost most there, and the nearest feasible budget.
 */
export function reach(
  budget: Budget,
  graph: QuantizedGraph,
  choices: Choices,
): { name: string; limit: number; least: number; most: number }[] {
  const least = extreme(graph, choices, (list) => list[0]!);
  const most = extreme(graph, choices, (list) => list.at(-1)!);
  const broken = allRows(budget, graph).filter((row) => !holds(row, least));
  if (broken.length > 0) throw infeasible(broken, least);
  return rows(budget, graph).map((row) => ({
    name: row.name,
    limit: row.limit,
    least: costAt(row, least),
    most: costAt(row, most),
  }));
}

/** Refuses a budget that no choice of bitwidths can keep; see `reach`. */
export function checkBudget(budget: Budget, graph: QuantizedGraph, choices: Choices): void {
  reach(budget, graph, choices);
}

/** Whether bitwidths keep a row. Costs of whole bitwidths are whole numbers, so the slack only forgives a rounded limit. */
export function holds(row: BudgetRow, bits: Bits): boolean {
  return keeps(row, costAt(row, bits));
}

/** As `holds`, of a cost that is known. */
export const keeps = ({ limit }: BudgetRow, cost: number): boolean => cost <= limit * (1 + 1e-12);

function average(kind: "weights" | "activations", limit: number | undefined, cost: Cost): BudgetRow[] {
  if (limit === undefined) return [];
  const option = `averageBits of ${kind}`;
  refuse(option, limit);
  const elements = elementsOf(cost);
  if (elements === 0) return [];
  const unit = { name: "bits on average", cost: elements };
  return [{ ...cost, name: `average bits of ${kind}`, limit: limit * elements, option, unit }];
}

function limited(
  option: string,
  limit: Limit | undefined,
  costs: readonly Cost[],
  unit: BudgetRow["unit"],
): BudgetRow[] {
  if (limit === undefined) return [];
  const factor = typeof limit === "string" ? Number(/^(\d+(?:\.\d+)?)x$/.exec(limit)?.[1]) : undefined;
  refuse(option, factor ?? limit);
  const full = Math.max(...costs.map((cost) => costAt(cost, {})));
  const value = factor === undefined ? (limit as number) * unit.cost : full / factor;
  return costs.map((cost) => ({ ...cost, limit: value, option, unit }));
}

function refuse(option: string, limit: unknown): void {
  if (typeof limit === "number" && Number.isFinite(limit) && limit > 0) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected a positive number or a factor such as "16x" for ${option} in the budget, received ${JSON.stringify(limit)}.`,
    "Average bits are plain numbers; the other limits may be factors.",
  );
}

/**
 * Whether `row` holds whenever `other` does, because no part of it is larger. Rows of one limit are taken to be free of
 * that: memory makes none, and there may be thousands.
 */
function implications(): (row: BudgetRow, other: BudgetRow) => boolean {
  const known = new Map<BudgetRow, ReadonlyMap<string, number>>();
  const coefficients = (row: BudgetRow): ReadonlyMap<string, number> => {
    const own = known.get(row) ?? new Map(row.terms.map(({ node, coefficient }) => [node, coefficient]));
    known.set(row, own);
    return own;
  };
  return (row, other) => {
    if (other.option === row.option || row.products.length > 0) return false;
    if (row.limit < other.limit || row.constant > other.constant) return false;
    return row.terms.every(({ node, coefficient }) => coefficient <= (coefficients(other).get(node) ?? 0));
  };
}

function extreme(graph: QuantizedGraph, choices: Choices, pick: (list: readonly number[]) => number): Bits {
  return Object.fromEntries(
    graph.nodes.map(({ id }) => {
      const list = choices[id] ?? [];
      const ascending = list.every((bits, i) => Number.isInteger(bits) && bits > (list[i - 1] ?? 0));
      if (list.length === 0 || !ascending) {
        throw new AutoqnnError(
          "bad-option",
          `Expected whole bitwidths in ascending order at "${id}", received [${list}].`,
          "Give at least one bitwidth of 1 or more for every node.",
        );
      }
      return [id, pick(list)];
    }),
  );
}

function infeasible(broken: readonly BudgetRow[], least: Bits): AutoqnnError {
  const worst = [...new Map(broken.map((row) => [row.option, row])).keys()].map((option) =>
    broken
      .filter((row) => row.option === option)
      .reduce((a, b) => (costAt(b, least) / b.limit > costAt(a, least) / a.limit ? b : a)),
  );
  const complaints = worst.map((row) => {
    const value = `${readable(costAt(row, least) / row.unit.cost)} ${row.unit.name}`;
    const given = readable(row.limit / row.unit.cost);
    return `Expected ${row.option} of at least ${value} (${row.name}), received ${given}; most of it: ${binding(row, least)}.`;
  });
  const nearest = worst.map((row) => `${row.option} ${readable(costAt(row, least) / row.unit.cost)}`);
  return new AutoqnnError(
    "infeasible-budget",
    complaints.join(" "),
    `The nearest feasible budget: ${nearest.join(", ")}. Allow fewer bits at these nodes, or exclude fewer edges.`,
  );
}

/** The nodes that cost most at their least bitwidths, and what costs without any node. */
function binding(row: BudgetRow, least: Bits): string {
  const share = new Map<string, number>();
  const add = (name: string, cost: number): void => void share.set(name, (share.get(name) ?? 0) + cost);
  for (const { node, coefficient } of row.terms) add(`"${node}"`, coefficient * (least[node] ?? FLOAT_BITS));
  for (const { weight, input, coefficient } of row.products) {
    add(
      `"${weight}" with "${input}"`,
      coefficient * (least[weight] ?? FLOAT_BITS) * (least[input] ?? FLOAT_BITS),
    );
  }
  add("what has no node", row.constant);
  return [...share]
    .filter(([, cost]) => cost > 0)
    .sort((a, b) => b[1] - a[1])
    .slice(0, 3)
    .map(([name, cost]) => `${name} ${readable(cost / row.unit.cost)}`)
    .join(", ");
}

/** Whole, or rounded up in the fourth digit, so that a budget copied from a message is feasible. */
function readable(value: number): string {
  if (value >= 1000) return String(Math.ceil(value));
  const scale = 10 ** (3 - Math.floor(Math.log10(value)));
  return String(Number((Math.ceil(value * scale * (1 - 1e-12)) / scale).toPrecision(12)));
}
