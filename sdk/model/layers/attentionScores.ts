import * as tf from "@tensorflow/tfjs";

/** A score beside which any other takes all. */
const OUT = -1e9;

/**
 * Probabilities over the last `axes` dimensions of the scores, where each mask (1: seen) lets them. A mask of fewer
 * dimensions holds for all heads and batches that it does not name: ones are put before its last 2 `axes` dimensions.
 */
export function probabilities(scores: tf.Tensor, masks: readonly tf.Tensor[], axes: number): tf.Tensor {
  const full = masks.map((mask) => {
    const tail = mask.rank - 2 * axes;
    const ones = Array.from({ length: scores.rank - mask.rank }, () => 1);
    return tf.reshape(tf.cast(mask, "float32"), [
      ...mask.shape.slice(0, tail),
      ...ones,
      ...mask.shape.slice(tail),
    ]);
  });
  const seen = full.reduce<tf.Tensor | undefined>((all, mask) => (all ? tf.mul(all, mask) : mask), undefined);
  // Where nothing is seen all keys count alike, and no gradient reaches the scores.
  const left = seen ? tf.add(tf.mul(scores, seen), tf.mul(tf.sub(1, seen), OUT)) : scores;
  const keys = left.shape.slice(left.rank - axes).reduce((n, d) => n * d, 1);
  return tf.reshape(tf.softmax(tf.reshape(left, [-1, keys])), left.shape);
}

/** [1, T, S]: where query t may see key s. */
export function band(queries: number, keys: number, sees: (t: number, s: number) => boolean): tf.Tensor {
  const values = Float32Array.from({ length: queries * keys }, (_, i) =>
    sees(Math.floor(i / keys), i % keys) ? 1 : 0,
  );
  return tf.tensor(values, [1, queries, keys]);
}

/** Inputs of a layer by the names of Keras's call arguments; lists stand under the name several times. */
export type Named = Readonly<Record<string, readonly tf.Tensor[] | undefined>>;

export function named(inputs: readonly tf.Tensor[], operands: readonly string[]): Named {
  const names = [...new Set(operands)];
  return Object.fromEntries(names.map((name) => [name, inputs.filter((_, i) => operands[i] === name)]));
}
