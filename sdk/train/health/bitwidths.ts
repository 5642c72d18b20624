import type { Found } from "./finding.js";
import { meanOf, type NodeView } from "./view.js";

/** Before so many steps nothing is said: a warm-up ends later. */
const LEAST_STEPS = 20;

/** A trained number that stayed this close to its start has not moved: one step of the default rate is as long. */
const MOVED = 0.01;

/** A bitwidth this close to its least is there. */
const AT_END = 0.05;

/** How far above its least a bitwidth must have been before one says that it fell. */
const FALL = 0.5;

/**
 * By which part, and by how many nats, the loss must have risen while a bitwidth fell. Going from three bits to two costs a
 * healthy ResNet8 a fifth.
 */
const RISE = 0.5;
const RISE_LEAST = 0.05;

/** How far beyond x.5 a bitwidth must swing on both sides, and how often, to oscillate: noise around x.5 stays below. */
const SWING = 0.15;
const CROSSINGS = 4;

/**
 * Stuck: after 20 steps a bitwidth, or every logit, is still within 0.01 of where it started although its gradient is not
 * zero; or a bitwidth has stood at the greatest one allowed, below 8, for the last quarter of the steps that are done, while
 * the loss asks for more.
 */
export function stuck({ bitwidth, logits, done }: NodeView): Found | undefined {
  const way = bitwidth ?? logits;
  if (!way || done < LEAST_STEPS || !way.gradients.some((value) => value !== 0)) return undefined;
  const away = way.values.reduce((most, v, i) => Math.max(most, Math.abs(v - way.start[i % way.width]!)), 0);
  const gradient = meanOf(way.gradients.map(Math.abs));
  if (away <= MOVED) {
    return {
      since: 1,
      evidence: { "moved by": away, "mean absolute gradient": gradient },
      cause:
        bitwidth && atEnd(bitwidth, way.start[0]!)
          ? "It started at the end of its range."
          : "Its learning rate is too low.",
      remedy: "Raise the stage's learning rate, train for longer, or start elsewhere.",
    };
  }
  if (!bitwidth || bitwidth.most >= 8) return undefined;
  const first = bitwidth.values.findLastIndex((value) => value < bitwidth.most) + 1;
  if (done - first < Math.max(LEAST_STEPS, done / 4)) return undefined;
  const asked = meanOf(bitwidth.gradients, first, done);
  if (asked >= 0) return undefined;
  return {
    since: first + 1,
    evidence: { bits: bitwidth.most, "mean gradient": asked },
    cause: `It stands at ${bitwidth.most} bits, the most that are allowed, and the loss asks for more.`,
    remedy: "Allow more by the option `bits`, or pin the node.",
  };
}

const atEnd = ({ least, most }: { least: number; most: number }, bits: number): boolean =>
  bits === least || bits === most;

/**
 * Collapsing: a bitwidth has come down to its least from half a bit above or more, has stayed there, and the training loss,
 * as a mean over a twentieth of the steps and 10 at least, has meanwhile risen by half and 0.05 nats, and is still there.
 */
export function collapsing({ bitwidth, loss, done }: NodeView): Found | undefined {
  if (!bitwidth || done < 2 * LEAST_STEPS) return undefined;
  const { values, least } = bitwidth;
  const landed = values.findLastIndex((value) => value > least + AT_END) + 1;
  const highest = values.reduce((most, value) => Math.max(most, value), bitwidth.start[0]!);
  if (landed >= done || highest < least + FALL) return undefined;
  const window = Math.max(10, Math.ceil(done / 20));
  const from = Math.max(0, values.findLastIndex((value) => value >= least + FALL) + 1 - window);
  const before = meanOf(loss, from, Math.min(done, from + window));
  const after = meanOf(loss, done - window, done);
  if (after - before <= Math.max(RISE * before, RISE_LEAST)) return undefined;
  return {
    since: landed + 1,
    evidence: { "bits before": highest, "loss before": before, "loss now": after },
    cause: "The budget, or too high a learning rate of the bitwidths, outweighs what the data says of it.",
    remedy:
      "Lower `learningRate.bits`, allow a larger budget, or give it more bits at least by the option `bits` or a pin.",
  };
}

/**
 * Oscillating: in the second half of the steps that are done, a bitwidth has crossed some x.5 four times or more, by 0.15 on
 * either side each time, so that its rounding depends on when training ends.
 */
export function oscillating({ bitwidth, done }: NodeView): Found | undefined {
  if (!bitwidth || done < 2 * LEAST_STEPS) return undefined;
  const half = Math.floor(done / 2);
  const late = bitwidth.values.subarray(half);
  const low = Math.floor(late.reduce((a, b) => Math.min(a, b)));
  const high = Math.floor(late.reduce((a, b) => Math.max(a, b)));
  for (let whole = low; whole <= high; whole++) {
    const middle = whole + 0.5;
    const crossings: number[] = [];
    let side = 0;
    for (const [i, value] of late.entries()) {
      const now = value > middle + SWING ? 1 : value < middle - SWING ? -1 : 0;
      if (now === 0) continue;
      if (side !== 0 && now !== side) crossings.push(half + i + 1);
      side = now;
    }
    if (crossings.length < CROSSINGS) continue;
    return {
      since: crossings[0]!,
      evidence: { around: middle, crossings: crossings.length },
      cause:
        "Its steps are longer than what separates the two bitwidths: the learning rate is too high, or its gradient is noise.",
      remedy: "Lower `learningRate.bits` or take larger batches.",
    };
  }
  return undefined;
}
