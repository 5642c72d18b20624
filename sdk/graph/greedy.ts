import { type BudgetRow, keeps } from "./budget.js";
import { costAt } from "./costs.js";
import type { Option, Point } from "./points.js";

/** From the least bitwidths, one step up at a time where it saves most for what it uses, as long as the limits hold. */
export function greedy(nodes: readonly (readonly Option[])[], limits: readonly BudgetRow[]): Point {
  const level = nodes.map(() => 0);
  const bits = Object.fromEntries(nodes.map((options) => [options[0]!.node, options[0]!.bits]));
  const parts = partsOf(limits);
  const used = limits.map((row) => costAt(row, bits));
  const rises = (part: Part, by: number): number =>
    part.coefficient * by * (part.other ? bits[part.other]! : 1);
  const share = nodes.map(([option]) =>
    (parts.get(option!.node) ?? []).reduce(
      (sum, part) => sum + rises(part, 1) / limits[part.row]!.limit,
      Number.MIN_VALUE,
    ),
  );
  const worth = (n: number): number => {
    const [from, to] = [nodes[n]![level[n]!]!, nodes[n]![level[n]! + 1]!];
    return (from.cost - to.cost) / (share[n]! * (to.bits - from.bits));
  };
  const fits = (n: number): boolean => {
    const { node, bits: to } = nodes[n]![level[n]! + 1]!;
    const next = new Map<number, number>();
    for (const part of parts.get(node) ?? [])
      next.set(part.row, (next.get(part.row) ?? used[part.row]!) + rises(part, to - bits[node]!));
    for (const [row, cost] of next) if (!keeps(limits[row]!, cost)) return false;
    for (const [row, cost] of next) used[row] = cost;
    bits[node] = to;
    return true;
  };
  // What a limit forbids stays forbidden: bits of others only rise.
  const open = new Set(nodes.keys());
  for (;;) {
    let best = { n: -1, worth: Number.NEGATIVE_INFINITY };
    for (const n of open) {
      if (level[n]! + 1 === nodes[n]!.length) open.delete(n);
      else if (worth(n) > best.worth) best = { n, worth: worth(n) };
    }
    if (best.n < 0)
      return Object.fromEntries(nodes.map((options, n) => [options[0]!.node, options[level[n]!]!]));
    if (fits(best.n)) level[best.n]!++;
    else open.delete(best.n);
  }
}

/** What a node adds to a row of the limits per bit, and per bit of another node where it stands in a product. */
export interface Part {
  readonly row: number;
  readonly coefficient: number;
  readonly other?: string;
}

export function partsOf(limits: readonly BudgetRow[]): ReadonlyMap<string, readonly Part[]> {
  const parts = new Map<string, Part[]>();
  const add = (node: string, part: Part): void => {
    const known = parts.get(node);
    if (known) known.push(part);
    else parts.set(node, [part]);
  };
  for (const [row, { terms, products }] of limits.entries()) {
    for (const { node, coefficient } of terms) add(node, { row, coefficient });
    for (const { weight, input, coefficient } of products) {
      add(weight, { row, coefficient, other: input });
      add(input, { row, coefficient, other: weight });
    }
  }
  return parts;
}
