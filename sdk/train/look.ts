import * as tf from "@tensorflow/tfjs";
import { type DeviceStaircase, quantize } from "../engine/ops.js";

/** What a node was seen to do with the values of one batch. */
export interface Look {
  /** The step after which it was looked at, counted from 1. */
  readonly step: number;
  /** The least and the greatest value that came, and the root of their mean square. */
  readonly minimum: number;
  readonly maximum: number;
  readonly rms: number;
  /** The least and the greatest level that they were rounded to. */
  readonly least: number;
  readonly most: number;
  /** The share of the gradient that the clip range lets pass, 0 to 1. */
  readonly passing: number;
}

const FIELDS = ["minimum", "maximum", "rms", "least", "most", "passing"] as const;

/** How many numbers a look has besides its step. */
export const LOOK_SIZE = FIELDS.length;

/** How often a stage looks at its nodes, besides after its first step. */
const LOOKS = 10;

/** The steps of a stage after which its nodes are looked at: the first, and the end of every tenth part. */
export function lookSteps(steps: number): number[] {
  const tenths = Array.from({ length: LOOKS }, (_, i) => Math.ceil(((i + 1) * steps) / LOOKS));
  return [...new Set([1, ...tenths])];
}

/** A look at values `x`, rounded to `y`, as a tensor [LOOK_SIZE]. */
export function look(x: tf.Tensor, y: tf.Tensor, { mask }: DeviceStaircase, scale: tf.Tensor): tf.Tensor1D {
  // The mask is a staircase of its own, laid out on the same scaled thresholds.
  const passing = mask ? tf.div(tf.mean(quantize(x, mask, scale)), scale) : tf.scalar(1);
  const rms = tf.sqrt(tf.mean(tf.square(x)));
  return tf.stack([tf.min(x), tf.max(x), rms, tf.min(y), tf.max(y), passing]) as tf.Tensor1D;
}

/** The looks that stand one after another in `data`, at these steps. */
export function looksOf(data: Float32Array, steps: readonly number[]): Look[] {
  return steps.map((step, row) => {
    const values = FIELDS.map((name, i) => [name, data[row * LOOK_SIZE + i]!]);
    return { step, ...(Object.fromEntries(values) as Omit<Look, "step">) };
  });
}
