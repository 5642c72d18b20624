import * as tf from "@tensorflow/tfjs";

/**
 * Mean cross-entropy in nats of `logits` [n, classes] against class numbers `labels` [n] (int32), or against
 * probabilities [n, classes]: -(1/n) sum_i sum_c y_ic log softmax(logits_i)_c.
 */
export function crossEntropy(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const classes = logits.shape[1]!;
  const target = labels.rank === 1 ? tf.oneHot(labels as tf.Tensor1D, classes) : labels;
  const likelihood = tf.sum(tf.mul(tf.cast(target, "float32"), tf.logSoftmax(logits)), 1);
  return tf.neg(tf.mean(likelihood));
}

/** How many rows of `logits` have their largest value at the label: a float32 scalar. */
export function countCorrect(logits: tf.Tensor, labels: tf.Tensor): tf.Tensor {
  const truth = labels.rank === 1 ? labels : tf.argMax(labels, 1);
  return tf.sum(tf.cast(tf.equal(tf.argMax(logits, 1), tf.cast(truth, "int32")), "float32"));
}
