import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import { combine, row } from "../staircase/rows.js";
import { type Coefficients, coefficients, type Range, type SchemeName } from "../staircase/schemes.js";
import type { Table } from "./kernels/mixture.js";
import { type DeviceStaircase, mixedStaircase, withoutGradient } from "./ops.js";

/** The candidates' own staircases, one below the other. */
export function valueTable(candidates: readonly Coefficients[]): Table {
  let first = 0;
  const within = candidates.flatMap((candidate) => {
    const moved = (place: number): number => (place < 0 ? place : place + first);
    const entries = (candidate.within ?? []).map(({ threshold, lower, upper }) => ({
      threshold: moved(threshold),
      lower: moved(lower),
      upper: moved(upper),
    }));
    first += candidate.thresholds.length;
    return entries;
  });
  return {
    thresholds: candidates.flatMap(({ thresholds }) => thresholds),
    inclusive: candidates.flatMap(({ inclusive }) => inclusive),
    jumps: candidates.flatMap(({ levels }) =>
      levels.slice(1).map((level, k) => combine([level, levels[k]!], [1, -1])),
    ),
    owner: candidates.flatMap(({ thresholds }, i) => thresholds.map(() => i)),
    bases: candidates.map(({ levels }) => levels[0]!),
    within,
  };
}

/** Staircases that are 1 within the candidates' clip ranges, both ends included, and 0 outside. */
function maskTable(candidates: readonly Coefficients[]): Table {
  const [shut, open] = [row({}), row({ one: 1 })];
  return valueTable(
    candidates.map(({ clip: { lower, upper } = {} }) => ({
      thresholds: [...(lower ? [lower] : []), ...(upper ? [upper] : [])],
      inclusive: [...(lower ? [true] : []), ...(upper ? [false] : [])],
      levels: [...(lower ? [shut] : []), open, ...(upper ? [shut] : [])],
    })),
  );
}

/**
 * The staircase sum_i p_i Q_i of several candidates, as a function of what was measured and of their shares.
 *
 * The thresholds of all candidates stand side by side; a step is its candidate's jump of level times its p. Gradients
 * flow to p through steps and base only: dL/dp_i = l_i0 C + sum_k jump_k C_k.
 *
 * @returns fit(statistics, p, active?): `statistics` raw [STATISTICS.length], `p` [C], `active` [C] of 0 and 1; a
 * candidate that is not active takes no part, whatever its p, and gets no gradient.
 * @throws AutoqnnError `bad-option` without candidates, or as `coefficients` does.
 * @example
 * const fit = mixture([{ scheme: "clip", bits: 2 }, { scheme: "clip", bits: 3 }], { signed: true, zero: false });
 * const halfway = fit(statistics(x), tf.tensor1d([0.5, 0.5])); // 2.5 bits
 */
export function mixture(
  candidates: readonly { readonly scheme: SchemeName; readonly bits: number }[],
  range: Range,
): (statistics: tf.Tensor1D, p: tf.Tensor1D, active?: tf.Tensor1D) => DeviceStaircase {
  if (candidates.length === 0) {
    throw new AutoqnnError(
      "bad-option",
      "Expected at least one candidate to mix, received none.",
      "Give schemes with bitwidths.",
    );
  }
  const all = candidates.map(({ scheme, bits }) => coefficients(scheme, bits, range));
  const values = valueTable(all);
  const masks = all.some(({ clip }) => clip) ? maskTable(all) : undefined;
  return (statistics, p, active = tf.ones([all.length])) => {
    // Which share of the gradient passes is a constant of differentiation.
    const mask = masks && withoutGradient(() => p.clone());
    return {
      ...mixedStaircase(values, statistics, p, active),
      ...(masks && mask && { mask: mixedStaircase(masks, statistics, mask, active) }),
    };
  };
}
