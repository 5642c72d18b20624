import type { Staircase } from "./staircase.js";

/**
 * How a staircase, flat almost everywhere, is trained through.
 *
 * - `ste`, straight-through: y = Q(x), dy/dx = 1.
 * - `pwl`, piecewise linear: y = (1 - r) Q(x) + r x, dy/dx = 1.
 * - `pwl-c`, clipped piecewise linear: as `pwl` with x clipped to the levels in use, dy/dx = 0 outside them.
 *
 * A staircase with a clip range clips x to it first under every rule, and passes no gradient outside it.
 */
export type GradientRule = "ste" | "pwl" | "pwl-c";

/**
 * Values of `x` on the way forward.
 *
 * @param ratio r, the share of x itself; 0 to 1, ignored by `ste`.
 * @example
 * forward(staircase([0], [-1, 1]), [0.5], "pwl", 0.25); // [0.875]
 */
export function forward(
  quantizer: Staircase,
  x: ArrayLike<number>,
  rule: GradientRule = "ste",
  ratio = 0,
): Float32Array {
  const quantized = quantizer.apply(x);
  if (rule === "ste") return quantized;
  const { lower, upper } = passing(quantizer, quantized, rule);
  return quantized.map((q, i) => q + ratio * (Math.min(upper, Math.max(lower, x[i]!)) - q));
}

/**
 * The gradient of the loss by `x`, from `dy`, its gradient by the values forward.
 *
 * @example
 * backward(staircase([0], [-1, 1]), [-3, 0.5], [1, 1], "pwl-c"); // [0, 1]: -3 lies below the levels in use
 */
export function backward(
  quantizer: Staircase,
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  rule: GradientRule = "ste",
): Float32Array {
  const { lower, upper } = passing(quantizer, quantizer.apply(x), rule);
  return Float32Array.from(dy, (g, i) => (x[i]! >= lower && x[i]! <= upper ? g : 0));
}

/** The range of x in which the gradient passes, both ends included. */
function passing(quantizer: Staircase, quantized: Float32Array, rule: GradientRule) {
  let lower = quantizer.clip?.lower ?? Number.NEGATIVE_INFINITY;
  let upper = quantizer.clip?.upper ?? Number.POSITIVE_INFINITY;
  if (rule === "pwl-c") {
    lower = Math.max(
      lower,
      quantized.reduce((least, q) => Math.min(least, q), Number.POSITIVE_INFINITY),
    );
    upper = Math.min(
      upper,
      quantized.reduce((most, q) => Math.max(most, q), Number.NEGATIVE_INFINITY),
    );
  }
  return { lower, upper };
}
