import * as tf from "@tensorflow/tfjs";
import { activate, softmaxOver } from "../activations.js";
import { alike, type Operation, type Operations, unary } from "./row.js";

/** A function of the table of activations, with its options by Keras's names. */
const activation = (name: string, ...options: readonly string[]): Operation =>
  unary((x, a) =>
    activate(
      name,
      x,
      Object.fromEntries(options.flatMap((key) => (a.has(key) ? [[key, a.number(key)]] : []))),
    ),
  );

const overAxis = (name: string): Operation =>
  alike((x, a) => activate(name, x, { axis: a.axis("axis", x.rank, -1) }));

/** x (1 + erf(x / sqrt 2)) / 2, or its approximation by tanh (Hendrycks and Gimpel, 2016). */
const gelu: Operation = unary((x, a) => {
  const inner = a.flag("approximate", true)
    ? tf.tanh(tf.mul(Math.sqrt(2 / Math.PI), tf.add(x, tf.mul(0.044715, tf.mul(x, tf.square(x))))))
    : tf.erf(tf.div(x, Math.SQRT2));
  return tf.mul(tf.mul(0.5, x), tf.add(1, inner));
});

/** The activations of Keras and TensorFlow. */
export const ACTIVATION: Operations = {
  relu: unary(tf.relu),
  relu6: unary(tf.relu6),
  selu: unary(tf.selu),
  sigmoid: unary(tf.sigmoid),
  tanh: unary(tf.tanh),
  softplus: unary(tf.softplus),
  softsign: unary((x) => tf.div(x, tf.add(1, tf.abs(x)))),
  silu: unary((x, a) => tf.mul(x, tf.sigmoid(tf.mul(x, a.number("beta", 1))))),
  gelu,
  leakyRelu: activation("leaky_relu", "negative_slope"),
  elu: activation("elu", "alpha"),
  celu: activation("celu", "alpha"),
  logSigmoid: activation("log_sigmoid"),
  hardSigmoid: unary((x) => activate("hard_sigmoid", x, { slope: 1 / 6 })),
  hardSilu: activation("hard_silu"),
  hardTanh: activation("hard_tanh"),
  hardShrink: activation("hard_shrink", "threshold"),
  softShrink: activation("soft_shrink", "threshold"),
  tanhShrink: activation("tanh_shrink"),
  threshold: activation("threshold", "threshold", "default_value"),
  squarePlus: activation("squareplus", "b"),
  sparsePlus: activation("sparse_plus"),
  sparseSigmoid: activation("sparse_sigmoid"),
  sparsemax: overAxis("sparsemax"),
  prelu: {
    compute: (a) => tf.prelu(a.tensor("x"), a.tensor("alpha")),
    shape: (a) => a.shape("x"),
    valuewise: true,
  },
  softmax: alike((x, a) => softmaxOver(x, a.has("axis") ? a.axes("axis", x.rank) : [-1])),
  logSoftmax: alike((x, a) => {
    const axis = a.axis("axis", x.rank, -1);
    return axis === x.rank - 1 ? tf.logSoftmax(x) : tf.sub(x, tf.logSumExp(x, axis, true));
  }),
  glu: {
    compute: (a) => activate("glu", a.tensor("x"), { axis: a.axis("axis", a.shape("x").length, -1) }),
    shape: (a) => {
      const axis = a.axis("axis", a.shape("x").length, -1);
      return a.shape("x").with(axis, a.shape("x")[axis]! / 2);
    },
  },
};
