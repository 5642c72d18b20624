import { withoutGradient } from "../../sdk/engine/ops.js";
import { tf } from "../../sdk/index.js";
import type { Baseline, Rule } from "./rule.js";
import { evenly, straight } from "./straight.js";

/**
 * Weights of DoReFa-Net, equations 9 and 10: t = tanh w, w_q = 2 quantize_k(t / (2 max |t|) + 1/2) - 1, with
 * quantize_k(r) = round((2^k - 1) r) / (2^k - 1) straight through; with one bit E|w| sign w, equation 8.
 *
 * The result is multiplied by max |t|, a constant of differentiation, which batch normalization swallows: here the last
 * layer, which has none, is quantized as well, and starts from trained weights.
 */
export const dorefaWeights: Rule = {
  initial: () => ({}),
  quantize: (w, _own, { bits }) => {
    if (bits === 1) {
      const sign = (x: tf.Tensor) => tf.sub(tf.mul(tf.cast(tf.greaterEqual(x, 0), "float32"), 2), 1);
      return { y: straight(w, (x) => tf.mul(sign(x), tf.mean(tf.abs(x)))) };
    }
    const t = tf.tanh(w);
    const most = withoutGradient(() => tf.max(tf.abs(t)));
    const unit = tf.add(tf.div(t, tf.mul(most, 2)), 0.5);
    return { y: tf.mul(tf.sub(tf.mul(evenly(unit, 2 ** bits - 1), 2), 1), most) };
  },
};

/** Inputs of DoReFa-Net, equation 11: quantize_k(clip(x, 0, 1)); where values are negative, of (clip(x, -1, 1) + 1) / 2. */
const inputs: Rule = {
  initial: () => ({}),
  quantize: (x, _own, { bits, signed }) => {
    const steps = 2 ** bits - 1;
    if (!signed) return { y: evenly(tf.clipByValue(x, 0, 1), steps) };
    const unit = tf.div(tf.add(tf.clipByValue(x, -1, 1), 1), 2);
    return { y: tf.sub(tf.mul(evenly(unit, steps), 2), 1) };
  },
};

export const dorefa: Baseline = {
  name: "DoReFa",
  source: "Zhou et al., DoReFa-Net, arXiv 1606.06160 (2016)",
  weights: dorefaWeights,
  inputs,
};
