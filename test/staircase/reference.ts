import { existsSync, readFileSync } from "node:fs";
import { expect } from "vitest";
import { lowered } from "../../sdk/staircase/fit.js";
import type { GradientRule } from "../../sdk/staircase/gradient.js";
import type { SearchedScheme } from "../../sdk/staircase/schemes.js";
import { type Staircase, staircase } from "../../sdk/staircase/staircase.js";

/** Outputs and gradients of the author's public PyTorch code. */
export interface WeightCase {
  readonly role: "weight";
  readonly scheme: SearchedScheme;
  readonly bits: number;
  readonly input: string;
  readonly backward: GradientRule;
  readonly ratio: number;
  readonly x: number[];
  readonly gy: number[];
  readonly y: number[];
  readonly gx: number[];
}
export interface ActivationCase {
  readonly role: "activation";
  readonly scheme: SearchedScheme;
  readonly bits: number;
  readonly train: { readonly x: number[]; readonly y: number[] }[];
  readonly eval: { readonly x: number[]; readonly y: number[] };
}

const file = new URL("../../../shared/reference/quantizer-vectors.json", import.meta.url);
export const absent = !existsSync(file);
const cases: (WeightCase | ActivationCase)[] = absent ? [] : JSON.parse(readFileSync(file, "utf8")).cases;
export const weightCases = cases.filter((c) => c.role === "weight");
export const activationCases = cases.filter((c) => c.role === "activation");

/** The ranges under which our schemes follow the reference: sign(0) = 0. */
export const LIKE_REFERENCE = { signed: true, zero: true } as const;

/**
 * What the reference makes of our staircase where it deviates: FixedQuant has no outermost levels, and ZoomQ adds the ends
 * of its range as levels and cuts the others off there.
 */
export function asReference(
  scheme: SearchedScheme,
  { thresholds, levels, clip }: Staircase,
  range: { minimum: number; maximum: number },
): Staircase {
  const step = levels[1]! - levels[0]!;
  const outermost = Math.max(-range.minimum, range.maximum);
  if (scheme === "fixed") {
    const last = Math.ceil(outermost / step) + 1;
    const { length } = thresholds;
    const all = Array.from({ length: 2 * last + 1 }, (_, i) => i - last);
    const ours = (k: number) => k + (length + 1) / 2 - 1;
    return staircase(
      // Ties go to the even number; where we have the threshold, it is ours.
      all.slice(1).map((k) => thresholds[ours(k)] ?? (k % 2 === 0 ? lowered : Math.fround)((k - 0.5) * step)),
      all.map((k) => k * step),
    );
  }
  if (scheme === "zoom") {
    const top = levels.at(-1)!;
    const cut = (level: number) => Math.min(range.maximum, Math.max(range.minimum, level));
    return staircase(
      [lowered(range.minimum), ...thresholds, lowered(top + step / 2)],
      [levels[0]! - step, ...levels, top + step].map(cut),
    );
  }
  return staircase(thresholds, levels, clip && { ...clip });
}

/** How far apart float32 programs that order their sums differently may be, relative to the values involved. */
const TOLERANCE = 4e-6;

/**
 * Holds `actual` against `expected`, element by element, to float32 precision. Where x lies within ulps of a threshold,
 * the value of the bucket on its other side will do, `share` of it.
 */
export function expectAgreement(
  quantizer: Staircase,
  x: readonly number[],
  actual: ArrayLike<number>,
  expected: readonly number[],
  share = 1,
): void {
  const { thresholds, levels } = quantizer;
  const size = Math.max(...levels.map(Math.abs), ...expected.map(Math.abs));
  const step = Math.max(...levels.slice(1).map((level, k) => level - levels[k]!));
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const miss = expected[i]! - actual[i]!;
    if (Math.abs(miss) <= TOLERANCE * size) continue;
    const k = thresholds.findIndex((t) => Math.abs(x[i]! - t) <= TOLERANCE * Math.max(Math.abs(t), step));
    expect(k, `x = ${x[i]} at ${i}: expected ${expected[i]}, received ${actual[i]}`).toBeGreaterThanOrEqual(
      0,
    );
    const jump = (levels[k + 1]! - levels[k]!) * share;
    expect(Math.abs(Math.abs(miss) - jump)).toBeLessThanOrEqual(TOLERANCE * size);
  }
}

/** Residual's scales a_1 .. a_6. */
export function remainders(x: readonly number[]): number[] {
  let r = [...x];
  return Array.from({ length: 6 }, () => {
    const scale = r.reduce((sum, value) => sum + Math.abs(value), 0) / r.length;
    r = r.map((value) => value - scale * Math.sign(value));
    return scale;
  });
}
