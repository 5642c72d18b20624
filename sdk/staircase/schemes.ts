import { AutoqnnError } from "../errors.js";
import { fitCoefficients } from "./fit.js";
import { derive, ema, MOMENTUM, measure } from "./measure.js";
import type { Coefficients } from "./rows.js";
import type { Staircase } from "./staircase.js";
import { STATISTICS, type Statistic } from "./statistics.js";
import { type Form, type SchemeName, SIGNED, UNSIGNED } from "./table.js";

export type { Coefficients, SchemeName };
export { derive, ema, MOMENTUM, measure };

/**
 * What values a scheme is laid out for.
 *
 * `signed: false` is the range-aware form for tensors that are never negative. `zero: true` gives sign(0) = 0 a level of
 * its own in binary, pot and residual, as the author's code does, one level more than b bits can number; with
 * `zero: false` 0 counts as positive, and b bits have at most 2^b levels.
 */
export interface Range {
  readonly signed: boolean;
  readonly zero: boolean;
}

/** The schemes among which a search chooses. */
export type SearchedScheme = Exclude<SchemeName, "lsq">;

const NAMES = Object.keys(SIGNED).filter((name): name is SearchedScheme => name !== "lsq");

/** Whether a scheme keeps the statistics of the start of training, and moves by its learned scale alone. */
export const isFrozen = (scheme: SchemeName): boolean => SIGNED[scheme].frozen ?? false;

function form(scheme: SchemeName, range: Range): Form | undefined {
  if (!Object.hasOwn(SIGNED, scheme)) {
    throw new AutoqnnError(
      "bad-option",
      `Expected a scheme, received "${scheme}".`,
      `The schemes are ${NAMES.join(", ")}.`,
    );
  }
  return range.signed ? SIGNED[scheme] : UNSIGNED[scheme];
}

/**
 * The bitwidths, least and most, at which a scheme exists; undefined when it has no form for this range.
 *
 * @throws AutoqnnError `bad-option` for a name that is not a scheme.
 * @example
 * bitsOf("pot", { signed: true, zero: false }); // [1, 4]
 */
export function bitsOf(scheme: SchemeName, range: Range): readonly [number, number] | undefined {
  return form(scheme, range)?.bits;
}

/**
 * The scheme that continues `scheme` at a bitwidth it does not have: residual continues binary, whose first step it is;
 * clip, which has every bitwidth, continues the others (at two bits quaternary is clip).
 */
export function schemeAt(scheme: SchemeName, bits: number, range: Range): SchemeName {
  const has = (name: SchemeName): boolean => {
    const limits = bitsOf(name, range);
    return limits !== undefined && limits[0] <= bits && bits <= limits[1];
  };
  if (has(scheme)) return scheme;
  return scheme === "binary" && has("residual") ? "residual" : "clip";
}

/** The schemes that exist for a range, at the given bitwidth where one is given. */
function alternatives(range: Range, bits?: number): string {
  const names = NAMES.filter((name) => {
    const limits = bitsOf(name, range);
    return limits && (bits === undefined || (limits[0] <= bits && bits <= limits[1]));
  });
  return names.length === 0 ? "No scheme has so many; use 1 to 8." : `Use ${names.join(" or ")}.`;
}

/**
 * A scheme at b bits as two constant matrices: thresholds and levels, linear in the (derived) statistic vector.
 *
 * @throws AutoqnnError `bad-option` for an unknown scheme, a scheme without a form for this range, or bits it does not have.
 * @example
 * coefficients("binary", 1, { signed: true, zero: false }).levels.length; // 2
 */
export function coefficients(scheme: SchemeName, bits: number, range: Range): Coefficients {
  const found = form(scheme, range);
  if (!found) {
    throw new AutoqnnError(
      "bad-option",
      `Expected a scheme with an unsigned form, received ${scheme}.`,
      `${alternatives(range)} Or quantize with a signed range.`,
    );
  }
  const [least, most] = found.bits;
  if (!Number.isInteger(bits) || bits < least || bits > most) {
    const expected = least === most ? `${least} bit${least === 1 ? "" : "s"}` : `${least} to ${most} bits`;
    throw new AutoqnnError(
      "bad-option",
      `Expected ${expected} for ${scheme}, received ${bits}.`,
      Number.isInteger(bits) ? alternatives(range, bits) : "Give a whole number of bits.",
    );
  }
  return found.at(bits, range.zero);
}

/** The statistics that these candidates depend on: what `statistics` has to measure for them. */
export function needs(
  candidates: readonly { readonly scheme: SchemeName; readonly bits: number }[],
  range: Range,
): Statistic[] {
  const rows = candidates.flatMap(({ scheme, bits }) => {
    const { thresholds, levels, clip } = coefficients(scheme, bits, range);
    return [...thresholds, ...levels, ...Object.values(clip ?? {})];
  });
  return STATISTICS.filter((_, place) => rows.some((r) => r[place] !== 0));
}

/**
 * The staircase of a scheme at b bits for a raw statistic vector, stretched by `scale` (thresholds and levels alike).
 *
 * @throws AutoqnnError `bad-option` as `coefficients` does, or for a scale that is not positive; `bad-data` when a
 * statistic that the scheme needs is not finite.
 * @example
 * fit("ternary", 2, measure([-3, 0.1, 3]), { signed: true, zero: false }).levels; // [-3, 0, 3]
 */
export function fit(
  scheme: SchemeName,
  bits: number,
  statistics: ArrayLike<number>,
  range: Range,
  scale = 1,
): Staircase {
  const found = coefficients(scheme, bits, range);
  for (const name of needs([{ scheme, bits }], range)) {
    const value = statistics[STATISTICS.indexOf(name)];
    if (!Number.isFinite(value)) {
      throw new AutoqnnError(
        "bad-data",
        `Expected finite values to fit ${scheme} to, received ${value} for the statistic ${name}.`,
        "Look for NaN or infinite values in the tensor.",
      );
    }
  }
  return fitCoefficients(found, statistics, scale);
}

/** A scheme by itself, on plain arrays. */
export interface Scheme {
  readonly name: SchemeName;
  /** Least and most bits of the signed form. */
  readonly bits: readonly [number, number];
  /**
   * The staircase for the values of `x`, at 2 bits or the nearest the scheme has; signed, 0 counted as positive.
   *
   * @throws AutoqnnError as `fit` does; `bad-data` when `x` is empty.
   */
  fit(x: ArrayLike<number>, bits?: number, options?: Partial<Range>): Staircase;
}

/**
 * The eight schemes.
 *
 * @example
 * const staircase = schemes.clip.fit(weights, 3);
 * staircase.apply(weights); // quantized values
 * staircase.codes(weights); // bucket numbers, 0 .. 7
 */
export const schemes: Readonly<Record<SearchedScheme, Scheme>> = Object.freeze(
  Object.fromEntries(
    NAMES.map((name) => [
      name,
      Object.freeze({
        name,
        bits: SIGNED[name].bits,
        fit(x: ArrayLike<number>, bits?: number, options: Partial<Range> = {}): Staircase {
          const range = { signed: true, zero: false, ...options };
          const [least, most] = bitsOf(name, range) ?? SIGNED[name].bits;
          return fit(name, bits ?? Math.min(most, Math.max(least, 2)), measure(x), range);
        },
      }),
    ]),
  ) as Record<SearchedScheme, Scheme>,
);
