import * as tf from "@tensorflow/tfjs";
import type { Arguments } from "./arguments.js";
import { einsum } from "./einsum.js";
import { alike, type Operation, type Operations } from "./row.js";

/** A vector along `axis` of a tensor of `rank` axes; one tensor of several axes stays as it is. */
function along(vector: tf.Tensor, rank: number, axes: readonly number[]): tf.Tensor {
  if (vector.rank === rank || vector.rank === 0) return vector;
  const sizes = vector.shape.values();
  return tf.reshape(
    vector,
    Array.from({ length: rank }, (_, i) => (axes.includes(i) ? (sizes.next().value as number) : 1)),
  );
}

/** scale x + offset, each along `axes`, as far as given. */
function affine(x: tf.Tensor, a: Arguments, axes: readonly number[]): tf.Tensor {
  const scaled = a.has("scale") ? tf.mul(x, along(a.tensor("scale"), x.rank, axes)) : x;
  return a.has("offset") ? tf.add(scaled, along(a.tensor("offset"), x.rank, axes)) : scaled;
}

/** (x - mean) / sqrt(variance + epsilon), scaled and offset (Ioffe and Szegedy, 2015). */
const batchNorm = alike((x, a) => {
  const axes = [a.axis("axis", x.rank, -1)];
  const deviation = tf.sqrt(tf.add(along(a.tensor("variance"), x.rank, axes), a.number("epsilon", 1e-3)));
  return affine(tf.div(tf.sub(x, along(a.tensor("mean"), x.rank, axes)), deviation), a, axes);
});

/** The same with mean and variance of each example (Ba et al., 2016). */
const layerNorm = alike((x, a) => {
  const axes = [...a.with({ axis: a.has("axis") ? a.value("axis") : -1 }).axes("axis", x.rank)];
  const centred = tf.sub(x, tf.mean(x, axes, true));
  const variance = tf.mean(tf.square(centred), axes, true);
  return affine(tf.mul(centred, tf.rsqrt(tf.add(variance, a.number("epsilon", 1e-7)))), a, axes);
});

/** x / sqrt(mean x^2 + epsilon), scaled (Zhang and Sennrich, 2019). */
const rmsNorm = alike((x, a) => {
  const axes = [...a.with({ axis: a.has("axis") ? a.value("axis") : -1 }).axes("axis", x.rank)];
  const square = tf.mean(tf.square(x), axes, true);
  return affine(tf.mul(x, tf.rsqrt(tf.add(square, a.number("epsilon", 1e-7)))), a, axes);
});

const localResponse = alike((x, a) =>
  tf.localResponseNormalization(
    x as tf.Tensor4D,
    a.integer("radius", 5),
    a.number("k", 1),
    a.number("alpha", 1),
    a.number("beta", 0.5),
  ),
);

/**
 * softmax(scale q k^T + bias) v for each head; query [batch, T, heads, d], key and value [batch, S, heads, d]. A mask holds
 * 1 where a position may be looked at.
 */
const attention: Operation = {
  compute: (a) => {
    const [query, key, value] = [a.tensor("query"), a.tensor("key"), a.tensor("value")];
    const [from, to] = [query.shape[1]!, key.shape[1]!];
    const scale = a.number("scale", 1 / Math.sqrt(query.shape.at(-1)!));
    const products = tf.mul(einsum("btnh,bsnh->bnts", [query, key]), scale);
    const scores = a.has("bias") ? tf.add(products, a.tensor("bias")) : products;
    const hide = (mask: tf.Tensor): tf.Tensor => tf.mul(tf.sub(1, mask), -1e9);
    const masked = a.has("mask") ? tf.add(scores, hide(a.tensor("mask"))) : scores;
    const causal = a.flag("isCausal")
      ? tf.add(masked, hide(tf.linalg.bandPart(tf.ones([from, to]), -1, 0)))
      : masked;
    return einsum("bnts,bsnh->btnh", [tf.softmax(causal), value]);
  },
  shape: (a) => [...a.shape("query").slice(0, -1), a.shape("value").at(-1)!],
  macs: (a) =>
    a
      .shape("query")
      .concat(a.shape("key")[1]!)
      .reduce((x, y) => x * y, 1) * 2,
};

/** Normalization by given or own statistics, and attention. */
export const NORMALIZING: Operations = {
  batchNorm,
  layerNorm,
  rmsNorm,
  localResponse,
  attention,
  addBias: alike((x, a) => tf.add(x, a.tensor("bias"))),
};
