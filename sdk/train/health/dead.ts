import type { Found } from "./finding.js";
import { type NodeView, zeroSince } from "./view.js";

/** Fewer steps without a gradient may be chance: a batch in which a rare value does not occur. */
const LEAST_STEPS = 20;

/** Logits whose likeliest candidate has more than this have decided: that they get no gradient any more is no fault. */
const DECIDED = 0.99;

/**
 * Dead: the gradient of the loss by the node's bitwidth, or by all its logits, has been exactly zero for half of the steps
 * that are done, and for 20 at least. A budget may still move the bitwidth: nothing that the data says does.
 */
export function dead(view: NodeView): Found | undefined {
  const { bitwidth, logits, done, looks } = view;
  const way = bitwidth ?? logits;
  const since = way && zeroSince(way);
  if (since === undefined || done - since + 1 < Math.max(LEAST_STEPS, done / 2)) return undefined;
  if (logits && Math.max(...probabilities(logits.values.subarray(-logits.width))) > DECIDED) return undefined;
  const last = looks.at(-1);
  const evidence = {
    "steps without gradient": done - since + 1,
    ...(last && { "least value": last.minimum, "greatest value": last.maximum }),
  };
  if (last && last.minimum === last.maximum) {
    return {
      since,
      evidence,
      cause: `Everything that reaches it is ${last.minimum}.`,
      remedy:
        "Look for a dead activation before it or an input that is empty, or leave the node out with `exclude`.",
    };
  }
  return {
    since,
    evidence,
    cause:
      "What it gives has no effect on the loss: all that reads it is dead, saturated or multiplied by zero.",
    remedy:
      "Look at the layers behind it, or leave the node out with `exclude`: a budget spends bits on it for nothing.",
  };
}

/** softmax(logits). */
export function probabilities(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const top = Math.max(...values);
  const powers = values.map((value) => Math.exp(value - top));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
