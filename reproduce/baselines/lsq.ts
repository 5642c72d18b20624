import { tf } from "../../sdk/index.js";
import { type Baseline, type Look, type Rule, scalar } from "./rule.js";
import { scaledGradient, straight } from "./straight.js";

/** The most negative level is -Q_N s, the greatest Q_P s. */
function ends({ bits, signed, kind }: Look): { low: number; high: number } {
  if (kind === "input" && !signed) return { low: 0, high: 2 ** bits - 1 };
  return { low: 2 ** (bits - 1), high: 2 ** (bits - 1) - 1 };
}

/**
 * LSQ, equations 1 to 3: v = x / s, y = round(clip(v, -Q_N, Q_P)) s, with dy/ds = round(v) - v within the ends, -Q_N and
 * Q_P outside, times g = 1 / sqrt(N Q_P); s starts at 2 E|x| / sqrt(Q_P). N is the number of weights, or of values of one
 * example. With one bit of a weight Q_P is 0; it is taken as 1 there, and the levels are -s and s.
 */
const rule: Rule = {
  initial: (look) => {
    const { high } = ends(look);
    return { s: scalar((2 * look.statistic("absMean")) / Math.sqrt(Math.max(1, high))) };
  },
  least: { s: 1e-6 },
  quantize: (x, { s }, look) => {
    const { low, high } = ends(look);
    const count = look.shape.reduce((product, n) => product * n, 1);
    const scaled = scaledGradient(s!, 1 / Math.sqrt(count * Math.max(1, high)));
    const v = tf.div(x, scaled);
    if (high === 0) {
      const sign = (u: tf.Tensor) => tf.sub(tf.mul(tf.cast(tf.greaterEqual(u, 0), "float32"), 2), 1);
      return { y: tf.mul(straight(tf.clipByValue(v, -1, 1), sign), scaled) };
    }
    return { y: tf.mul(straight(tf.clipByValue(v, -low, high), tf.round), scaled) };
  },
};

export const lsq: Baseline = {
  name: "LSQ",
  source: "Esser et al., Learned step size quantization, arXiv 1902.08153 (ICLR 2020)",
  weights: rule,
  inputs: rule,
};
