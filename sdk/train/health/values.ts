import type { Found } from "./finding.js";
import type { NodeView } from "./view.js";

/** In how many looks, one after another, something must be seen: a single batch may be a chance. */
const LOOKS = 2;

/** The looks, at the end, over which a drift is judged, and how much the values must have grown or shrunk in all. */
const DRIFT_LOOKS = 4;
const DRIFT = 2;

/** Non-finite: a value that came, or what the node has to learn, is infinite or no number. Quantizers hide it from the loss. */
export function nonFinite({ looks, bitwidth, logits, done }: NodeView): Found | undefined {
  const look = looks.find(({ rms, least, most }) => !Number.isFinite(rms + least + most));
  const way = bitwidth ?? logits;
  const at = way ? way.values.findIndex((value) => !Number.isFinite(value)) : -1;
  const since = Math.min(look?.step ?? done + 1, way && at >= 0 ? Math.floor(at / way.width) + 1 : done + 1);
  if (since > done) return undefined;
  return {
    since,
    evidence: look ? { "least value": look.minimum, "greatest value": look.maximum } : {},
    cause: look
      ? "A value overflowed, or a division by zero was made, before the node."
      : "The gradient of what the node learns overflowed.",
    remedy: "Lower the learning rate, shorten gradients by the recipe's `clipNorm`, or give larger batches.",
  };
}

/** Constant: in the last two looks or more, all that came was rounded to one level. */
export function constant({ looks, kind }: NodeView): Found | undefined {
  const first = looks.findLastIndex(({ least, most }) => least !== most) + 1;
  const last = looks.at(-1);
  if (!last || looks.length - first < LOOKS) return undefined;
  const same = last.minimum === last.maximum;
  return {
    since: looks[first]!.step,
    evidence: { level: last.least, "least value": last.minimum, "greatest value": last.maximum },
    cause: same
      ? `Everything that reaches it is ${last.minimum}.`
      : "All its values lie between two neighbouring thresholds: its range is laid out for others, or has one far outlier.",
    remedy: same
      ? kind === "input"
        ? "Look for a dead activation before it or an input that is empty."
        : "Look whether the weight was ever initialized and is trained."
      : "Give it another scheme or more bits, or normalize before it.",
  };
}

/**
 * Drifting: over the last four looks, the root mean square of what reaches an input has only grown, or only shrunk, and by a
 * factor of two in all. Ranges follow by a running mean and lag behind; what is learned belongs to a range that is gone.
 */
export function drifting({ looks, kind }: NodeView): Found | undefined {
  const late = looks.slice(-DRIFT_LOOKS);
  if (kind !== "input" || late.length < DRIFT_LOOKS || looks.length <= DRIFT_LOOKS) return undefined;
  const sizes = late.map(({ rms }) => rms);
  const factor = sizes.at(-1)! / sizes[0]!;
  const steady = sizes.every(
    (size, i) => i === 0 || (factor > 1 ? size > sizes[i - 1]! : size < sizes[i - 1]!),
  );
  if (!steady || !(factor >= DRIFT || factor <= 1 / DRIFT)) return undefined;
  return {
    since: late[0]!.step,
    evidence: { "rms before": sizes[0]!, "rms now": sizes.at(-1)! },
    cause: "The weights before it keep growing or shrinking, and nothing normalizes between.",
    remedy:
      "Lower the learning rate of the weights, give them decay, or put a normalization before the node.",
  };
}
