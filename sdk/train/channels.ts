import * as tf from "@tensorflow/tfjs";
import { withoutGradient } from "../engine/ops.js";
import type { QuantizingNode } from "../graph/graph.js";
import { type ChannelAxes, OF_LARGEST } from "../staircase/channels.js";

/** A weight with its channels on one scale, and what gives every channel its own back. */
export interface Divided {
  readonly values: tf.Tensor;
  restore(quantized: tf.Tensor): tf.Tensor;
}

/**
 * The values of a node as its staircase sees them, x / f, and how what it makes of them becomes a weight again, f Q(x / f).
 * f is that of the weight as it is now, as its statistics are, and like them a constant of differentiation: the
 * straight-through gradient of x is that of the weight.
 */
export function divided({ channelAxes }: QuantizingNode, x: tf.Tensor): Divided {
  if (!channelAxes) return { values: x, restore: (quantized) => quantized };
  const factors = withoutGradient(() => factorsOf(x, channelAxes));
  return { values: tf.div(x, factors), restore: (quantized) => tf.mul(quantized, factors) };
}

/** As `channelFactors`, of a shape that broadcasts to that of `x`. */
function factorsOf(x: tf.Tensor, axes: ChannelAxes): tf.Tensor {
  const others = x.shape.flatMap((_, axis) => (axes.includes(axis - x.rank) ? [] : [axis]));
  const factors = tf.mul(tf.max(tf.abs(x), others, true), OF_LARGEST);
  return tf.where(tf.greater(factors, 0), factors, tf.onesLike(factors));
}
