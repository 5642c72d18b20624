import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import { statistics } from "../engine/ops.js";
import type { QuantizingNode } from "../graph/graph.js";
import { MOMENTUM } from "../staircase/schemes.js";
import { STATISTICS, type Statistic } from "../staircase/statistics.js";

/**
 * The statistic vector that a node's quantizer is laid out for: of a weight, what it is now; of an input, the running
 * vector. In training the running vector moves first, then serves; so evaluation, which freezes it, sees the same quantizer.
 * (A node whose tensor passes at several steps is none of these: its vector moves when all have passed.)
 *
 * @param known the running vector before these values
 * @param next takes the running vector after them, by node id; absent outside of training
 */
export function statisticsAt(
  node: QuantizingNode,
  x: tf.Tensor,
  { frozen, needed }: { readonly frozen: boolean; readonly needed: readonly Statistic[] },
  known: tf.Tensor1D,
  next?: TensorMap,
): tf.Tensor1D {
  if (frozen) return known;
  if (node.kind === "weight") return statistics(x, needed);
  if (!next) return known;
  // A layer would let go of what is made inside its call.
  const after = tf.keep(moved(known, x, needed));
  next[node.id] = after;
  return after;
}

/** The running vector after these values. What a stage does not need is not measured, and keeps the value that it had. */
export function moved(known: tf.Tensor1D, x: tf.Tensor, needed: readonly Statistic[]): tf.Tensor1D {
  const momentum = tf.tensor1d(STATISTICS.map((name, i) => (needed.includes(name) ? MOMENTUM[i]! : 1)));
  return tf.add(tf.mul(known, momentum), tf.mul(statistics(x, needed), tf.sub(1, momentum)));
}
