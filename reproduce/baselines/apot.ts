import { withoutGradient } from "../../sdk/engine/ops.js";
import { tf } from "../../sdk/index.js";
import { type Baseline, type Rule, scalar } from "./rule.js";
import { nearest } from "./straight.js";

/**
 * The exponents of the terms, 0 apart, of levels of `bits` bits: two bits a term, the n terms interleaved as in equation 5,
 * p_i from {0, 2^-i, 2^-(i + n), 2^-(i + 2n)}; an odd bit has a term of one power.
 */
const TERMS: Readonly<Record<number, readonly (readonly number[])[]>> = {
  1: [[0]],
  2: [[0, 1, 2]],
  3: [[0, 1, 3], [2]],
  4: [
    [0, 2, 4],
    [1, 3, 5],
  ],
  5: [[0, 2, 5], [1, 3, 6], [4]],
};

/**
 * The levels of additive powers of two from 0 to 1, ascending: all sums of one value of every term, divided by the greatest.
 *
 * @example
 * apotLevels(2); // [0, 0.25, 0.5, 1]
 */
export function apotLevels(bits: number): number[] {
  const terms = TERMS[bits];
  if (!terms) throw new Error(`Expected 1 to 5 bits of additive powers of two, received ${bits}.`);
  const sums = terms.reduce<number[]>(
    (found, exponents) => found.flatMap((sum) => [sum, ...exponents.map((e) => sum + 2 ** -e)]),
    [0],
  );
  const distinct = [...new Set(sums)].sort((a, b) => a - b);
  return distinct.map((level) => level / distinct.at(-1)!);
}

const mirrored = (levels: readonly number[]): number[] => [
  ...levels
    .slice(1)
    .map((level) => -level)
    .reverse(),
  ...levels,
];

/**
 * Values clipped to +-alpha and projected, with the gradient of equation 8 for alpha: sign x outside, and within the
 * projection of x / alpha less x / alpha itself.
 */
function projected(x: tf.Tensor, alpha: tf.Tensor, levels: readonly number[], least: number): tf.Tensor {
  const unit = tf.clipByValue(tf.div(x, alpha), least, 1);
  return tf.mul(nearest(unit, levels), alpha);
}

/**
 * Weights of APoT: normalized to mean 0 and deviation 1 (equation 10), clipped at a learned alpha that starts at 3, one bit
 * the sign and the others additive powers of two (equation 7). With two bits the levels are -alpha, 0, alpha, and, as in the
 * authors' code, the gradient of the weights is not clipped.
 *
 * The result is multiplied by the deviation, a constant of differentiation, which batch normalization swallows: here the
 * last layer, which has none, is quantized as well, and starts from trained weights.
 */
const weights: Rule = {
  initial: () => ({ alpha: scalar(3) }),
  least: { alpha: 1e-2 },
  quantize: (w, { alpha }, { bits }) => {
    const centred = tf.sub(w, tf.mean(w));
    const count = w.size;
    const deviation = tf.sqrt(tf.div(tf.sum(tf.square(centred)), count - 1));
    const normalized = tf.div(centred, deviation);
    const levels = mirrored(apotLevels(Math.max(1, bits - 1)));
    const quantized =
      bits <= 2 ? ternary(normalized, alpha!, levels) : projected(normalized, alpha!, levels, -1);
    return { y: tf.mul(quantized, constant(deviation)) };
  },
};

/** As `projected`, the gradient of `x` not clipped. */
function ternary(x: tf.Tensor, alpha: tf.Tensor, levels: readonly number[]): tf.Tensor {
  const unclipped = tf.customGrad((given) => ({
    value: tf.clipByValue(given as tf.Tensor, -1, 1),
    gradFunc: (dy: tf.Tensor) => dy,
  }));
  const within = tf.mul(nearest(tf.clipByValue(tf.div(constant(x), alpha), -1, 1), levels), alpha);
  const free = tf.mul(nearest(unclipped(tf.div(x, constant(alpha))), levels), constant(alpha));
  // One value, two gradients: that of alpha from the one, that of x from the other.
  return tf.add(within, tf.sub(free, constant(free)));
}

const constant = (x: tf.Tensor): tf.Tensor => withoutGradient(() => x.clone());

/** Inputs of APoT: clipped to a learned alpha, which starts at three times sqrt(2 E[x^2]), and projected on all bits. */
const inputs: Rule = {
  initial: ({ statistic }) => ({ alpha: scalar(3 * statistic("rectifiedRms")) }),
  least: { alpha: 1e-3 },
  quantize: (x, { alpha }, { bits, signed }) => {
    const levels = apotLevels(signed ? Math.max(1, bits - 1) : bits);
    return {
      y: signed ? projected(x, alpha!, mirrored(levels), -1) : projected(x, alpha!, levels, 0),
    };
  },
};

export const apot: Baseline = {
  name: "APoT",
  source: "Li, Dong and Wang, Additive powers-of-two quantization, arXiv 1909.13144 (ICLR 2020)",
  weights,
  inputs,
};
