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

/** Each head [..., heads, features] `times` times, one after another. */
export function repeated(x: tf.Tensor, times: number): tf.Tensor {
  if (times === 1) return x;
  const [lead, [heads, features]] = [x.shape.slice(0, -2), x.shape.slice(-2) as [number, number]];
  const one = tf.reshape(x, [...lead, heads, 1, features]);
  return tf.reshape(tf.concat(Array(times).fill(one), x.rank - 1), [...lead, heads * times, features]);
}

/** x [..., in] by a kernel [in, ...out] of which the first `bound` dimensions are in, and a bias. */
export function projected(
  x: tf.Tensor,
  bound: number,
  weight: tf.LayerVariable,
  bias: tf.LayerVariable | undefined,
): tf.Tensor {
  const kernel = weight.read();
  const inner = kernel.shape.slice(0, bound).reduce((n, d) => n * d, 1);
  const flat = tf.matMul(tf.reshape(x, [-1, inner]), tf.reshape(kernel, [inner, -1]));
  const y = tf.reshape(flat, [...x.shape.slice(0, x.rank - bound), ...kernel.shape.slice(bound)]);
  return bias ? tf.add(y, bias.read()) : y;
}

/**
 * The letters of queries, keys and scores of heads, for inputs of `rank` dimensions that attend along `axes`: the keys'
 * attended dimensions in capitals, heads y, features z.
 */
export function attentionTerms(rank: number, axes: readonly number[]) {
  const letters = [..."abcdefghijkl"].slice(0, rank - 1);
  const attended = letters.filter((_, i) => axes.includes(i));
  const others = letters.filter((_, i) => !axes.includes(i));
  const keys = letters.map((letter, i) => (axes.includes(i) ? letter.toUpperCase() : letter));
  const seen = attended.map((letter) => letter.toUpperCase());
  return {
    queryTerm: [...letters, "y", "z"].join(""),
    keyTerm: [...keys, "y", "z"].join(""),
    scoreTerm: [...others, "y", ...attended, ...seen].join(""),
  };
}

/** A layer that drops scores in training. */
interface Drops {
  /** Set by whoever draws random numbers from seeds. */
  readonly dropoutFunc: ((ones: tf.Tensor, rate: number) => tf.Tensor) | undefined;
}

/** The scores of which, in training, a share `rate` is 0 and the rest larger for it. */
export function dropScores(
  { dropoutFunc }: Drops,
  scores: tf.Tensor,
  rate: number | undefined,
  { training }: tf.serialization.ConfigDict,
): tf.Tensor {
  if (!training || !rate) return scores;
  return dropoutFunc ? tf.mul(scores, dropoutFunc(tf.onesLike(scores), rate)) : tf.dropout(scores, rate);
}
