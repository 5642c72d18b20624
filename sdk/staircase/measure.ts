import { AutoqnnError } from "../errors.js";
import { STATISTICS, type Statistic } from "./statistics.js";

/** The place of each statistic in the vector. */
export const PLACE = Object.fromEntries(STATISTICS.map((name, place) => [name, place])) as Record<
  Statistic,
  number
>;

/** How many of residual's scales are measured, the first (`absMean`) included. */
const RESIDUAL_STEPS = 5;

/**
 * The statistic vector of `x` (see `STATISTICS`), with sums in float64 and every value rounded to float32.
 *
 * The deviation of a single element is 0. Values that are not finite make the statistics that see them not finite.
 *
 * @throws AutoqnnError `bad-data` when `x` is empty.
 * @example
 * measure([-1, 3])[PLACE.absMean]; // 2
 */
export function measure(x: ArrayLike<number>): Float32Array {
  const n = x.length;
  if (n === 0) {
    throw new AutoqnnError(
      "bad-data",
      "Expected at least one value to measure, received none.",
      "Leave empty tensors unquantized.",
    );
  }
  // Moments about the first value: a constant tensor has a deviation of exactly 0, and a large mean costs no digits.
  const origin = x[0]!;
  let sum = 0;
  let squares = 0;
  let magnitudes = 0;
  let minimum = Infinity;
  let maximum = -Infinity;
  for (let i = 0; i < n; i++) {
    const value = x[i]!;
    const distance = value - origin;
    sum += distance;
    squares += distance * distance;
    magnitudes += Math.abs(value);
    minimum = Math.min(minimum, value);
    maximum = Math.max(maximum, value);
  }
  const secondMoment = squares / n + 2 * origin * (sum / n) + origin * origin;
  const scales = residualScales(x, magnitudes / n);
  const values: Record<Statistic, number> = {
    one: 1,
    absMean: magnitudes / n,
    ternaryMean: ternaryMean(x, magnitudes / n),
    deviation: Math.sqrt(Math.max(0, squares - (sum * sum) / n) / Math.max(1, n - 1)),
    rectifiedRms: Math.sqrt(2 * Math.max(0, secondMoment)),
    minimum,
    maximum,
    absMaximum: Math.max(-minimum, maximum),
    residual2: scales[1]!,
    residual3: scales[2]!,
    residual4: scales[3]!,
    residual5: scales[4]!,
  };
  return Float32Array.from(STATISTICS, (name) => values[name]);
}

/** Mean magnitude of the values that ternary, with d = 1.4 mean abs x, does not round to zero; 0 when there are none. */
function ternaryMean(x: ArrayLike<number>, absMean: number): number {
  const half = Math.fround(0.7 * absMean);
  let sum = 0;
  let count = 0;
  for (let i = 0; i < x.length; i++) {
    const magnitude = Math.abs(x[i]!);
    if (magnitude > half) {
      sum += magnitude;
      count++;
    }
  }
  return count === 0 ? 0 : sum / count;
}

/** a_1 .. a_5 of residual; every remainder is rounded to float32, so that a value met exactly leaves exactly 0. */
function residualScales(x: ArrayLike<number>, absMean: number): number[] {
  const remainder = Float32Array.from(x);
  const scales = [absMean];
  while (scales.length < RESIDUAL_STEPS) {
    const scale = Math.fround(scales.at(-1)!);
    let sum = 0;
    for (let i = 0; i < remainder.length; i++) {
      remainder[i]! -= scale * Math.sign(remainder[i]!);
      sum += Math.abs(remainder[i]!);
    }
    scales.push(sum / remainder.length);
  }
  return scales;
}

/** How much of a running statistic is kept at each step: 0.9, and 0.99 for the fixed-point range. */
export const MOMENTUM: Float32Array = Float32Array.from(STATISTICS, (name) =>
  name === "absMaximum" ? 0.99 : 0.9,
);

/**
 * Running statistics after one more batch: m running + (1 - m) batch, m = `MOMENTUM`.
 *
 * @example
 * let running = measure(firstBatch);
 * for (const batch of batches) running = ema(running, measure(batch));
 */
export function ema(running: ArrayLike<number>, batch: ArrayLike<number>): Float32Array {
  return MOMENTUM.map((kept, i) => kept * running[i]! + (1 - kept) * batch[i]!);
}

/**
 * The vector that coefficients act on: the raw statistics with absMaximum replaced by its power, 2^floor(log2 absMaximum),
 * which is 0 for 0 (and for magnitudes too small for a normal float32).
 */
export function derive(statistics: ArrayLike<number>): Float64Array {
  const derived = Float64Array.from(statistics);
  // The exponent bits alone: logarithms are not exact at powers of two.
  const bits = new Uint32Array(Float32Array.of(derived[PLACE.absMaximum]!).buffer);
  bits[0]! &= 0x7f800000;
  derived[PLACE.absMaximum] = new Float32Array(bits.buffer)[0]!;
  return derived;
}
