import type { BudgetRow } from "./budget.js";
import { type Part, partsOf } from "./greedy.js";
import type { IntegerSolver } from "./integer.js";
import { type Answer, type Option, type Point, type Query, thinned, total, within } from "./points.js";

/** Objectives that differ by less than this part of the avoidable cost count as equal. */
const TIE = 1e-7;

/** The part of the way from the bound to a known point that is looked at first, and what it grows by. */
const CLOSE = 1 / 64;
const FARTHER = 4;

/** A point, and how it was found. */
export interface Settled {
  readonly point: Point;
  /** The nodes that equally good points give other bits. */
  readonly ties: readonly string[];
  /** By how much less a point may cost; 0 where none does. */
  readonly gap: number;
  /** Whether nothing was broken off: neither the search for the best point nor that for ties, which may then lack some. */
  readonly proven: boolean;
}

/**
 * The best point, and among equally good ones the first by the rule: each node in turn gets the most bits that one of them
 * gives it. `ties` names those at which they differ then. Where a search is broken off, the rule ends with it.
 *
 * Two things keep this from one program over all options for every node, which took minutes for NASNetMobile. Options that
 * no equally good point can have are left out beforehand (`thinned`). And nodes that cost the same in every limit and in the
 * objective may change places: what is known of one of them is known of those after it.
 *
 * @param first a point within the limits
 */
export function settle(
  solver: IntegerSolver,
  nodes: readonly (readonly Option[])[],
  limits: readonly BudgetRow[],
  first: Point,
): Settled {
  const { least, few } = thinned(limits, nodes, solver);
  const { point: best, proven } = cheapest(limits, solver, few, least, first);
  if (!proven) return { point: best, ties: [], gap: total(best) - least, proven };
  const atMost = total(best) * (1 + TIE);
  const left = few(atMost);
  const problem = within(limits, left, solver.solve);
  let whole = true;
  const ask = (query: Query): Point | undefined => {
    const answer = problem(query);
    whole &&= answer.proven;
    return answer.point;
  };

  const fixed: Option[] = [];
  const ties: string[] = [];
  const alike = alikeOf(left, limits);
  let known: Point[] = [best];
  for (const options of left) {
    if (!whole) break;
    const [{ node }] = options as [Option];
    if (options.length === 1) {
      fixed.push(options[0]!);
      continue;
    }
    const mates = alike.get(node)!;
    known = known.map((point) => raised(point, options, mates.open));
    const mixed = known.some((point) => mates.open.some((mate) => bitsAt(point, mate) !== point[node]!.bits));
    if (known.length === 1 && !mixed) {
      const other = ask({ atMost, fixed, except: known[0]!, minimise: () => 0 });
      if (!other) break;
      known.push(raised(other, options, mates.open));
    }
    const most = Math.max(...known.map((point) => point[node]!.bits));
    // A node like it that came before has the most that it could have, so this one has no more.
    const above =
      most < mates.most
        ? ask({
            atMost,
            fixed,
            above: { node, bits: most },
            minimise: (o) => (o.node === node ? -o.bits : 0),
          })
        : undefined;
    if (above) known.push(above);
    const differ = mixed || known.some((point) => point[node]!.bits !== known[0]![node]!.bits);
    if (!differ && !mates.shut)
      mates.shut = !ask({ atMost, fixed, below: { node, bits: most }, minimise: () => 0 });
    if (differ || !mates.shut) ties.push(node);
    const chosen = (above ?? known.find((point) => point[node]!.bits === most)!)[node]!;
    fixed.push(chosen);
    known = known.filter((point) => point[node] === chosen);
    mates.most = chosen.bits;
    mates.open = mates.open.filter((mate) => mate !== options);
  }
  return { point: known[0]!, ties, gap: 0, proven: whole };
}

/**
 * The best point: first among the few that are hardly worse than `least`, below which none is, then among more, until there is
 * one. To that of `first` all at once may be far, and leave most options in.
 */
function cheapest(
  limits: readonly BudgetRow[],
  { solve }: IntegerSolver,
  few: (atMost: number) => (readonly Option[])[],
  least: number,
  first: Point,
): { point: Point; proven: boolean } {
  const most = total(first);
  const search = (atMost: number): Answer =>
    within(limits, few(atMost), solve)({ atMost, minimise: (option) => option.cost });
  const better = ({ point, proven }: Answer) => ({
    ...{ point: point && total(point) <= most ? point : first, proven },
  });
  for (let above = (most - least) * CLOSE; least + above < most; above *= FARTHER) {
    const found = search(least + above);
    if (found.point) return better(found);
  }
  return better(search(most));
}

/** Nodes that may change places. */
interface Alike {
  /** The options of those that are not settled yet. */
  open: readonly (readonly Option[])[];
  /** The most bits that any of these can have. */
  most: number;
  /** Whether none of these can have fewer bits than the one before, where all that is known has them equal. */
  shut: boolean;
}

function alikeOf(nodes: readonly (readonly Option[])[], limits: readonly BudgetRow[]): Map<string, Alike> {
  const parts = partsOf(limits);
  const groups = new Map<string, (readonly Option[])[]>();
  for (const options of nodes) {
    const [{ node }] = options as [Option];
    const own = parts.get(node) ?? [];
    // What stands in a product is like another only together with what it is multiplied with.
    const key = own.some(({ other }: Part) => other !== undefined)
      ? node
      : JSON.stringify([own, options.map(({ bits, cost }) => [bits, cost])]);
    groups.set(key, [...(groups.get(key) ?? []), options]);
  }
  return new Map(
    [...groups.values()].flatMap((open) => {
      const shared: Alike = { open, most: Number.POSITIVE_INFINITY, shut: false };
      return open.map(([option]) => [option!.node, shared] as const);
    }),
  );
}

/** The point with that one of `open` which has most bits in the place of the node whose options are `own`, and the other way. */
function raised(point: Point, own: readonly Option[], open: Alike["open"]): Point {
  const highest = open.reduce((so, mate) => (bitsAt(point, mate) > bitsAt(point, so) ? mate : so), own);
  if (highest === own) return point;
  const as = (options: readonly Option[], other: readonly Option[]) => {
    const option = options.find(({ bits }) => bits === bitsAt(point, other))!;
    return [option.node, option] as const;
  };
  return { ...point, ...Object.fromEntries([as(own, highest), as(highest, own)]) };
}

const bitsAt = (point: Point, [option]: readonly Option[]): number => point[option!.node]!.bits;
