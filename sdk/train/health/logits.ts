import { probabilities } from "./dead.js";
import type { Found } from "./finding.js";
import type { NodeView } from "./view.js";

/** The part of a search in which nothing should be decided: the temperature is high, and the weights have seen little. */
const EARLY = 0.1;

/** Entropy, as a part of that of equal chances, below which a choice is made: 5 candidates at 0.99 have 0.035. */
const DECIDED = 0.05;

/**
 * Premature: within the first tenth of a search, the entropy of softmax(theta) of the node fell below a twentieth of that of
 * equal chances. The other candidates are hardly drawn any more, whatever later steps would say of them.
 */
export function premature({ logits, steps, done }: NodeView): Found | undefined {
  if (!logits) return undefined;
  const { values, width } = logits;
  const early = Math.min(done, Math.floor(EARLY * steps));
  for (let t = 0; t < early; t++) {
    const entropy = entropyOf(probabilities(values.subarray(t * width, (t + 1) * width))) / Math.log(width);
    if (entropy >= DECIDED) continue;
    return {
      since: t + 1,
      evidence: { "entropy of equal chances": entropy, "part of the search": (t + 1) / steps },
      cause: "The learning rate of theta is too high for the length of the search.",
      remedy: "Lower `learningRate.theta`, or search for longer.",
    };
  }
  return undefined;
}

const entropyOf = (chances: readonly number[]): number =>
  chances.reduce((sum, p) => sum - (p > 0 ? p * Math.log(p) : 0), 0);
