import { STATISTICS, type Statistic } from "./statistics.js";

/** A number that depends linearly on the statistic vector: its value is the dot product of both. */
export type Row = Float64Array;

/**
 * A staircase as linear maps of the statistic vector in which absMaximum is replaced by its power of two (`derive`).
 *
 * `inclusive[k]` says that x equal to threshold k belongs above it. `clip` bounds the straight-through gradient; a side
 * that is absent is open. `within` lists, parents first, the thresholds that must not leave the interval between two
 * others (-1: unbounded on that side).
 */
export interface Coefficients {
  readonly thresholds: readonly Row[];
  readonly inclusive: readonly boolean[];
  readonly levels: readonly Row[];
  readonly clip?: { readonly lower?: Row; readonly upper?: Row };
  readonly within?: readonly {
    readonly threshold: number;
    readonly lower: number;
    readonly upper: number;
  }[];
}

/** The row with these weights on these statistics and 0 elsewhere. */
export function row(weights: Partial<Record<Statistic, number>>): Row {
  return Float64Array.from(STATISTICS, (name) => weights[name] ?? 0);
}

/** sum_i factors_i rows_i. */
export function combine(rows: readonly Row[], factors: readonly number[]): Row {
  return row({}).map((_, place) => rows.reduce((sum, r, i) => sum + factors[i]! * r[place]!, 0));
}

/**
 * The value of a row for a derived statistic vector: weights as the device keeps them, in float32, the sum in float64.
 * A statistic without weight is not looked at, and may be anything.
 */
export function evaluate(r: Row, derived: ArrayLike<number>): number {
  return r.reduce(
    (sum, weight, place) => (weight === 0 ? sum : sum + Math.fround(weight) * derived[place]!),
    0,
  );
}

/**
 * Equidistant levels offset + (k + shift) step for k = first .. last, thresholds half-way. Ties go where rounding half to
 * even takes them: to the even k.
 */
export function grid(
  step: Row,
  { first, last, shift = 0, offset = row({}) }: { first: number; last: number; shift?: number; offset?: Row },
): Coefficients {
  const numbers = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const above = numbers.slice(1);
  return {
    levels: numbers.map((k) => combine([offset, step], [1, k + shift])),
    thresholds: above.map((k) => combine([offset, step], [1, k + shift - 0.5])),
    inclusive: above.map((k) => k % 2 === 0),
  };
}

/**
 * Levels mirrored about 0: `levels[j]` ascending magnitudes, `thresholds[j]` between magnitudes j and j + 1. Between the
 * two halves sign(0) = 0 has a level of its own when `zero`; otherwise 0 counts as positive.
 */
export function mirror(levels: readonly Row[], thresholds: readonly Row[], zero: boolean): Coefficients {
  const negative = (rows: readonly Row[]) => rows.map((r) => combine([r], [-1])).reverse();
  const origin = row({});
  return {
    levels: [...negative(levels), ...(zero ? [origin] : []), ...levels],
    thresholds: [...negative(thresholds), origin, ...(zero ? [origin] : []), ...thresholds],
    inclusive: [
      ...thresholds.map(() => true),
      true,
      ...(zero ? [false] : []),
      ...thresholds.map(() => false),
    ],
  };
}

/**
 * Levels sum_i +-a_i for ascending patterns of signs, the first scale deciding first. The threshold of the decision about
 * a_i is the sum so far; a later scale that exceeds an earlier one must not carry it past the decisions before.
 */
export function tree(scales: readonly Row[], zero: boolean): Coefficients {
  const buckets = 2 ** scales.length;
  const sum = (pattern: number, depth: number): Row =>
    combine(
      scales.slice(0, depth),
      scales.map((_, i) => ((pattern >> (scales.length - 1 - i)) & 1 ? 1 : -1)),
    );
  const numbers = Array.from({ length: buckets }, (_, m) => m);
  const levels = numbers.map((m) => sum(m, scales.length));
  const above = numbers.slice(1);
  const span = (m: number): number => m & -m; // half the number of buckets that threshold m decides between
  const thresholds = above.map((m) => sum(m, scales.length - 1 - Math.log2(span(m))));
  const root = buckets / 2;
  const place = (m: number): number => (m === 0 || m === buckets ? -1 : m - 1 + (zero && m > root ? 1 : 0));
  const within = above
    .filter((m) => m !== root)
    .sort((m, n) => span(n) - span(m))
    .map((m) => ({
      threshold: place(m),
      // With a level of its own, 0 is a pair of thresholds: the positive half lies above the second of them.
      lower: place(m - span(m)) + (zero && m - span(m) === root ? 1 : 0),
      upper: place(m + span(m)),
    }));
  const inclusive = above.map(() => true);
  if (!zero) return { levels, thresholds, inclusive, within };
  return {
    levels: [...levels.slice(0, root), row({}), ...levels.slice(root)],
    thresholds: [...thresholds.slice(0, root), ...thresholds.slice(root - 1)],
    inclusive: inclusive.slice(0, root).concat(false, inclusive.slice(root)),
    within,
  };
}
