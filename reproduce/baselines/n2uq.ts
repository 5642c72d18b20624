import { withoutGradient } from "../../sdk/engine/ops.js";
import { tf } from "../../sdk/index.js";
import { type Baseline, type Rule, scalar } from "./rule.js";
import { exceeds, straight } from "./straight.js";

/** The range of the uniform levels, before the learned scale behind them. */
const RANGE = 2;

/** The least length of a bin. */
const LEAST = 1e-3;

/**
 * Inputs of N2UQ, equations 2 to 8: levels are even, from 0 to 2, thresholds are learned. Bin i has the learned length a_i;
 * the i-th threshold lies in the middle of the i-th bin, counted from a learned start, and x is above i thresholds at level
 * 2 i / n, n = 2^k - 1. The gradient is that of the generalized straight-through estimator: of the piecewise linear curve
 * that rises by 2 / n over each bin. Two learned scales, as in the authors' code, one before and one behind.
 *
 * The scales start where 2 is three times sqrt(2 E[x^2]), for a network that is trained already. Where values are negative,
 * the start lies at -1 and the levels go from -1 to 1.
 */
const inputs: Rule = {
  initial: ({ bits, signed, statistic }) => {
    const n = 2 ** bits - 1;
    const reach = 3 * statistic("rectifiedRms") * (signed ? Math.SQRT1_2 : 1);
    const width = signed ? RANGE / 2 : RANGE;
    return {
      start: scalar(signed ? -RANGE / 2 : 0),
      bins: { shape: [n], dtype: "float32", data: new Float32Array(n).fill(RANGE / n) },
      before: scalar(width / reach),
      behind: scalar(reach / width),
    };
  },
  quantize: (x, { start, bins, before, behind }, { bits, signed }) => {
    const n = 2 ** bits - 1;
    const rise = RANGE / n;
    const scaled = tf.mul(x, before!);
    const lengths = tf.unstack(tf.maximum(bins!, LEAST));
    let edge: tf.Tensor = start!;
    let curve: tf.Tensor = tf.zerosLike(scaled);
    let level: tf.Tensor = tf.zerosLike(scaled);
    for (const length of lengths) {
      const inside = tf.div(tf.sub(scaled, edge), length);
      curve = tf.add(curve, tf.mul(tf.clipByValue(inside, 0, 1), rise));
      const above = exceeds(scaled, tf.add(edge, tf.div(length, 2)));
      level = tf.add(level, tf.mul(above, rise));
      edge = tf.add(edge, length);
    }
    const value = straight(curve, () => level);
    return { y: tf.mul(signed ? tf.sub(value, RANGE / 2) : value, behind!) };
  },
};

/**
 * Weights of N2UQ, equations 10 to 12: w / s with s = (2^k - 1) / 2^(k - 1) E|w| of each output channel, clipped to -1 and 1,
 * the nearest of 2^k even levels, times s. The gradient is that of w / s, unclipped, s a constant.
 */
const weights: Rule = {
  initial: () => ({}),
  quantize: (w, _own, { bits, channelAxes }) => {
    const axes = Array.from({ length: w.rank - channelAxes }, (_, axis) => axis);
    const n = (2 ** bits - 1) / 2;
    const s = withoutGradient(() => {
      const mean = tf.mean(tf.abs(w), axes, true);
      return tf.maximum(tf.mul(mean, (2 ** bits - 1) / 2 ** (bits - 1)), 1e-12);
    });
    const level = (unit: tf.Tensor): tf.Tensor => {
      const raised = tf.add(tf.clipByValue(unit, -1, 1), 1);
      return tf.mul(tf.sub(tf.div(tf.round(tf.mul(raised, n)), n), 1), s);
    };
    return { y: straight(tf.div(w, s), level) };
  },
};

export const n2uq: Baseline = {
  name: "N2UQ",
  source: "Liu et al., Nonuniform-to-uniform quantization, arXiv 2111.14826 (CVPR 2022)",
  weights,
  inputs,
};
