import { showsItself } from "../display.js";
import { AutoqnnError } from "../errors.js";
import { buckets, leveled } from "./bucket.js";

/**
 * A quantizer with its statistics fixed: Q(x) = levels[#{k : x > thresholds[k]}].
 *
 * `thresholds` ascend and have one element fewer than `levels`. Which side a tie falls on is already encoded
 * in the thresholds (a threshold that belongs to the upper bucket is stored as the next smaller float32), so
 * every comparison is a plain `x > t`. `clip` is the range in which the straight-through gradient passes
 * (both ends included); absent, it passes everywhere.
 */
export interface Staircase {
  readonly thresholds: Float32Array;
  readonly levels: Float32Array;
  readonly clip?: { readonly lower: number; readonly upper: number };
  /** Quantized values of `x`, same length. */
  apply(x: ArrayLike<number>): Float32Array;
  /** Bucket numbers of `x`: 0 .. levels.length - 1. */
  codes(x: ArrayLike<number>): Uint16Array;
}

/**
 * Makes a staircase from its thresholds and levels.
 *
 * @throws AutoqnnError `bad-option` when there is not exactly one level more than thresholds, or thresholds descend.
 * @example
 * staircase([0], [-1, 1]).apply([-3, 0.5]); // Float32Array [-1, 1]
 */
export function staircase(
  thresholds: ArrayLike<number>,
  levels: ArrayLike<number>,
  clip?: { lower: number; upper: number },
): Staircase {
  const t = Float32Array.from(thresholds);
  const l = Float32Array.from(levels);
  if (l.length !== t.length + 1) {
    throw new AutoqnnError(
      "bad-option",
      `Expected one level more than thresholds, received ${l.length} levels and ${t.length} thresholds.`,
      "Give K thresholds and K + 1 levels.",
    );
  }
  for (let k = 1; k < t.length; k++) {
    if (!(t[k - 1]! <= t[k]!)) {
      throw new AutoqnnError(
        "bad-option",
        `Expected ascending thresholds, received ${t[k - 1]} before ${t[k]} at position ${k}.`,
        "Sort the thresholds together with their levels.",
      );
    }
  }
  const codes = (x: ArrayLike<number>): Uint16Array => buckets(t, x);
  const apply = (x: ArrayLike<number>): Float32Array => leveled(l, codes(x));
  return Object.freeze(
    showsItself({
      thresholds: t,
      levels: l,
      ...(clip && { clip: Object.freeze({ ...clip }) }),
      apply,
      codes,
    }),
  );
}
