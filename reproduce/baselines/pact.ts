import { tf } from "../../sdk/index.js";
import { dorefaWeights } from "./dorefa.js";
import { type Baseline, type Rule, scalar } from "./rule.js";
import { straight } from "./straight.js";

/** Where the paper starts alpha: above what inputs after batch normalization reach. */
const START = 10;

/** The factor of alpha^2 in the loss, lambda: that of weight decay, as the paper has it for CIFAR-10 (section 5). */
const DECAY = 2e-4;

/**
 * Inputs of PACT, equations 1 to 3: y = clip(x, 0, alpha) = (|x| - |x - alpha| + alpha) / 2, and
 * y_q = round(y (2^k - 1) / alpha) alpha / (2^k - 1), with dy_q/dalpha = 1 where x >= alpha and 0 below. Where values are
 * negative, y = clip(x, -alpha, alpha) and as many levels.
 */
const inputs: Rule = {
  initial: () => ({ alpha: scalar(START) }),
  least: { alpha: 1e-3 },
  penalty: ({ alpha }) => tf.mul(tf.square(alpha!), DECAY),
  quantize: (x, { alpha }, { bits, signed }) => {
    const steps = 2 ** bits - 1;
    const low = signed ? tf.neg(alpha!) : tf.scalar(0);
    // tfjs's minimum does not sum its gradient over what was broadcast.
    const floored = signed ? tf.sub(tf.relu(tf.add(x, alpha!)), alpha!) : tf.relu(x);
    const clipped = tf.sub(alpha!, tf.relu(tf.sub(alpha!, floored)));
    return {
      y: straight(clipped, (y) => {
        const step = tf.div(tf.sub(alpha!, low), steps);
        return tf.add(tf.mul(tf.round(tf.div(tf.sub(y, low), step)), step), low);
      }),
    };
  },
};

export const pact: Baseline = {
  name: "PACT",
  source: "Choi et al., PACT, arXiv 1805.06085 (2018), with the weights of DoReFa as there",
  weights: dorefaWeights,
  inputs,
};
