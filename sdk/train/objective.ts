import * as tf from "@tensorflow/tfjs";

/**
 * Mean cross-entropy in nats of `logits` [n, classes] against class numbers `labels` [n] (int32), or against
 * probabilities [n, classes]: the mean of `crossEntropies`.
 */
export function crossEntropy(logits: tf.Tensor, labels: tf.Tensor, smoothing = 0): tf.Tensor {
  return tf.neg(tf.mean(logLikelihoods(logits, labels, smoothing)));
}

/** Cross-entropy of each example in nats, [n]: -sum_c y_ic log softmax(logits_i)_c; labels as in `crossEntropy`. */
export function crossEntropies(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  return tf.neg(logLikelihoods(logits, labels, 0));
}

/** @param smoothing epsilon: y becomes (1 - epsilon) y + epsilon / classes (Szegedy et al., 2016, section 7) */
function logLikelihoods(logits: tf.Tensor, labels: tf.Tensor, smoothing: number): tf.Tensor {
  const classes = logits.shape[1]!;
  const target = tf.cast(labels.rank === 1 ? tf.oneHot(labels as tf.Tensor1D, classes) : labels, "float32");
  const smooth = smoothing > 0 ? tf.add(tf.mul(target, 1 - smoothing), smoothing / classes) : target;
  return tf.sum(tf.mul(smooth, tf.logSoftmax(logits)), 1);
}

/**
 * T^2 times the mean divergence in nats of softmax(logits / T) from softmax(teacher / T), both [n, classes]: the gradient
 * keeps its size whatever the temperature T (Hinton et al., 2015, section 2).
 */
export function divergence(logits: tf.Tensor, teacher: tf.Tensor, temperature: number): tf.Tensor {
  const known = tf.logSoftmax(tf.div(teacher, temperature));
  const own = tf.logSoftmax(tf.div(logits, temperature));
  return tf.mul(tf.mean(tf.sum(tf.mul(tf.exp(known), tf.sub(known, own)), 1)), temperature ** 2);
}

/** How many rows of `logits` have their largest value at the label: a float32 scalar. */
export function countCorrect(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const truth = labels.rank === 1 ? labels : tf.argMax(labels, 1);
  return tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), tf.cast(truth, "int32")), "float32"));
}
