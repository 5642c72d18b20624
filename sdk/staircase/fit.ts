import { AutoqnnError } from "../errors.js";
import { derive } from "./measure.js";
import { type Coefficients, evaluate } from "./rows.js";
import { type Staircase, staircase } from "./staircase.js";

/**
 * The least distance by which an inclusive threshold is lowered: what makes 0 lie above an inclusive threshold at 0. It
 * is so far above the smallest normal float32 that a learned scale does not flush it to 0.
 */
export const LOWERED_AT_LEAST = 2 ** -100;

/** This fraction of a float32 subtracted from it, and the result rounded, is the next smaller float32. */
export const LOWERED_BY = 1.25 * 2 ** -24;

/** A float32 threshold that belongs to the upper bucket, as the one below it that `x > t` needs. */
export function lowered(t: number): number {
  return Math.fround(t - Math.fround(Math.max(Math.fround(Math.abs(t) * LOWERED_BY), LOWERED_AT_LEAST)));
}

/**
 * The thresholds of `coefficients` for a derived statistic vector, each lowered where it is inclusive and held within its
 * parents. Where a tensor is constant they may descend by single ulps.
 */
export function thresholdsAt(
  { thresholds, inclusive, within = [] }: Pick<Coefficients, "thresholds" | "inclusive" | "within">,
  derived: ArrayLike<number>,
): Float32Array {
  const t = Float32Array.from(thresholds, (r, k) => {
    const value = Math.fround(evaluate(r, derived));
    return inclusive[k] ? lowered(value) : value;
  });
  for (const { threshold, lower, upper } of within) {
    const least = t[lower] ?? Number.NEGATIVE_INFINITY;
    const most = t[upper] ?? Number.POSITIVE_INFINITY;
    t[threshold] = Math.max(least, Math.min(most, t[threshold]!));
  }
  return t;
}

/** The staircase of `coefficients` for a raw statistic vector. */
export function fitCoefficients(
  coefficients: Coefficients,
  statistics: ArrayLike<number>,
  scale: number,
): Staircase {
  if (!(scale > 0 && Number.isFinite(scale))) {
    throw new AutoqnnError(
      "bad-option",
      `Expected a positive, finite scale, received ${scale}.`,
      "A scale stretches the staircase; 1 leaves it as it is.",
    );
  }
  const derived = derive(statistics);
  const { levels, clip } = coefficients;
  const t = thresholdsAt(coefficients, derived);
  for (let k = 1; k < t.length; k++) t[k] = Math.max(t[k - 1]!, t[k]!);
  return staircase(
    t.map((value) => value * scale),
    levels.map((r) => evaluate(r, derived) * scale),
    clip && {
      lower: clip.lower ? evaluate(clip.lower, derived) * scale : Number.NEGATIVE_INFINITY,
      upper: clip.upper ? evaluate(clip.upper, derived) * scale : Number.POSITIVE_INFINITY,
    },
  );
}
