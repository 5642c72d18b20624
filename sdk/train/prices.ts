import { type Budget, type BudgetRow, rows as budgetRows } from "../graph/budget.js";
import { activationCost, type Bits, type Cost, costAt, operationCost, sizeCost } from "../graph/costs.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { memory } from "../graph/memory.js";
import type { Sensitivity, SensitivityRow } from "./sensitivity.js";

/** What one bit more at a node costs, and what it is worth. */
export interface Price {
  readonly node: string;
  readonly kind: "weight" | "input";
  readonly bits: number;
  /** Bytes of the node's own codes: of the model, or of one sample's activations. */
  readonly bytes: number;
  /** Bytes by which the peak of memory rises. */
  readonly memoryBytes: number;
  readonly bitOperations: number;
  /** Nats by which the loss falls, with its standard error; absent where no bit can be added. */
  readonly worth?: number;
  readonly error?: number;
  /** Worth per 1,000 of `bytes`. */
  readonly perKilobyte?: number;
}

/** A bit taken from one node and given to another, within every limit. */
export interface Swap {
  readonly from: string;
  readonly to: string;
  /** Nats by which the loss falls, as the sum of the two measured changes, with its standard error. */
  readonly gain: number;
  readonly error: number;
  /** Change of the bytes of weight codes and of the bit operations; negative is less. */
  readonly bytes: number;
  readonly bitOperations: number;
}

/** At what rate a limit turns into loss. Between the two rates lies its Lagrange multiplier, where bits are well placed. */
export interface Exchange {
  /** For example "model size"; rates are nats per `unit`. */
  readonly limit: string;
  readonly unit: string;
  readonly used: number;
  readonly allowed: number;
  /** Whether no node's next bit fits. */
  readonly binding: boolean;
  /** The most that one unit more earns, and the node whose next bit earns it. */
  readonly buys?: Rate;
  /** The least that one unit less loses, and the node whose last bit is given up. */
  readonly sells?: Rate;
}

export interface Rate {
  readonly node: string;
  readonly rate: number;
}

/** Shadow prices of a network's bits: plain data. */
export interface Prices {
  /** Limits first; empty without a budget. */
  readonly exchange: readonly Exchange[];
  /** Swaps whose gain is more than twice its standard error, the best first. */
  readonly swaps: readonly Swap[];
  /** Nodes by worth per kilobyte, the best first. */
  readonly rows: readonly Price[];
}

/** How many standard errors a gain must be away from zero to be called one. */
const SURE = 2;

/**
 * What bits cost and what they are worth: "one more bit at this node costs X bytes and Y bit operations, and is worth W
 * nats", the rates at which the limits of a budget exchange for loss, and the swaps that would pay.
 *
 * Losses are those of a sensitivity table, for one node at a time and without training: they say where to look, and a swap's
 * gain takes the two changes as independent. Nodes whose bitwidth is pinned take no part in swaps.
 *
 * @param budget what a swap must keep; without one, neither the bits of all weights nor those of all inputs may rise
 * @example
 * const learned = await autoqnn(model, { data }).learnPrecision({ budget: { modelSize: "16x" } }).run();
 * const { swaps } = shadowPrices(learned.graph, await learned.sensitivity(), { modelSize: "16x" });
 */
export function shadowPrices(graph: QuantizedGraph, sensitivity: Sensitivity, budget?: Budget): Prices {
  const { rows } = sensitivity;
  const bits = Object.fromEntries(rows.map((row) => [row.node, row.bits]));
  const free = new Set(graph.nodes.filter(({ pin }) => pin?.bits === undefined).map(({ id }) => id));
  const movable = rows.filter(({ node }) => free.has(node));
  const limits = budget ? budgetRows(budget, graph) : unraised(graph, bits);
  return Object.freeze({
    exchange: Object.freeze(budget ? limits.map((limit) => exchangeOf(limit, bits, movable)) : []),
    swaps: Object.freeze(swapsOf(graph, limits, bits, movable)),
    rows: Object.freeze(pricesOf(graph, bits, rows)),
  });
}

/** A cost and how far it may go. */
type Limit = Cost & Pick<BudgetRow, "limit">;

const unraised = (graph: QuantizedGraph, bits: Bits): (Limit & Pick<BudgetRow, "unit">)[] =>
  [sizeCost(graph), activationCost(graph)].map((cost) => ({
    ...cost,
    limit: costAt(cost, bits),
    unit: { name: "bits", cost: 1 },
  }));

/** What `by` bits more at a node change of a cost. */
const changeOf = (cost: Cost, bits: Bits, node: string, by: number): number =>
  costAt(cost, { ...bits, [node]: bits[node]! + by }) - costAt(cost, bits);

function pricesOf(graph: QuantizedGraph, bits: Bits, rows: readonly SensitivityRow[]): Price[] {
  const operations = operationCost(graph);
  const codes = [sizeCost(graph), activationCost(graph)];
  const peak = (at: Bits): number =>
    memory(graph, Object.fromEntries(Object.entries(at).map(([id, b]) => [id, { scheme: "", bits: b }])))
      .peak;
  const now = peak(bits);
  return rows
    .map(({ node, kind, bits: own, up }): Price => {
      const bytes = codes.reduce((sum, cost) => sum + changeOf(cost, bits, node, 1), 0) / 8;
      return Object.freeze({
        ...{ node, kind, bits: own, bytes },
        memoryBytes: (peak({ ...bits, [node]: own + 1 }) - now) / 8,
        bitOperations: changeOf(operations, bits, node, 1),
        ...(up && { worth: -up.loss, error: up.error, perKilobyte: (-up.loss / bytes) * 1000 }),
      });
    })
    .sort(
      (a, b) => (b.perKilobyte ?? Number.NEGATIVE_INFINITY) - (a.perKilobyte ?? Number.NEGATIVE_INFINITY),
    );
}

function exchangeOf(
  row: Limit & Pick<BudgetRow, "unit">,
  bits: Bits,
  rows: readonly SensitivityRow[],
): Exchange {
  const { name, limit, unit } = row;
  const used = costAt(row, bits);
  const rates = (by: 1 | -1): Rate[] =>
    rows.flatMap(({ node, up, down }) => {
      const change = by > 0 ? up : down;
      const cost = Math.abs(changeOf(row, bits, node, by)) / unit.cost;
      return change && cost > 0 ? [{ node, rate: (-by * change.loss) / cost }] : [];
    });
  const [buys] = rates(1).sort((a, b) => b.rate - a.rate);
  const [sells] = rates(-1).sort((a, b) => a.rate - b.rate);
  const fits = rows.some(({ node, up }) => {
    const cost = changeOf(row, bits, node, 1);
    return up && cost > 0 && used + cost <= limit;
  });
  return Object.freeze({
    ...{ limit: name, unit: unit.name, used: used / unit.cost, allowed: limit / unit.cost, binding: !fits },
    ...(buys && { buys }),
    ...(sells && { sells }),
  });
}

function swapsOf(
  graph: QuantizedGraph,
  limits: readonly Limit[],
  bits: Bits,
  rows: readonly SensitivityRow[],
): Swap[] {
  const size = sizeCost(graph);
  const operations = operationCost(graph);
  const found: Swap[] = [];
  for (const { node: from, down } of rows) {
    for (const { node: to, up } of rows) {
      if (from === to || !down || !up) continue;
      const gain = -(down.loss + up.loss);
      const error = Math.hypot(down.error, up.error);
      if (gain <= SURE * error) continue;
      const after = { ...bits, [from]: bits[from]! - 1, [to]: bits[to]! + 1 };
      if (!limits.every((row) => costAt(row, after) <= row.limit)) continue;
      found.push(
        Object.freeze({
          ...{ from, to, gain, error },
          bytes: (costAt(size, after) - costAt(size, bits)) / 8,
          bitOperations: costAt(operations, after) - costAt(operations, bits),
        }),
      );
    }
  }
  return found.sort((a, b) => b.gain - a.gain);
}
