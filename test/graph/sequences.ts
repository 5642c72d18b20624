import * as tf from "@tensorflow/tfjs";
import { LAYERS } from "../../sdk/model/layers/index.js";

type Symbolic = tf.SymbolicTensor;

/** A layer of one of the classes that models from files are built of. */
export function ours(kind: string, config: tf.serialization.ConfigDict): tf.layers.Layer {
  const Kind = LAYERS[kind] as unknown as new (config: tf.serialization.ConfigDict) => tf.layers.Layer;
  return new Kind(config);
}

/** Weights that do not depend on the order of tests. */
export function fill(model: tf.LayersModel): void {
  for (const [i, weight] of model.weights.entries()) {
    const before = weight.read();
    weight.write(
      tf.tidy(() => tf.randomNormal(before.shape, 0, before.rank > 1 ? 0.5 : 0.1, "float32", 30 + i)),
    );
  }
}

/** [5, 4] -> LSTM -> GRU -> 3 classes. */
export function recurrentNetwork(): tf.LayersModel {
  const input = tf.input({ shape: [5, 4], name: "sequence" });
  const lstm = tf.layers.lstm({ name: "lstm", units: 3, returnSequences: true }).apply(input);
  const gru = ours("GRU", { name: "gru", units: 2, resetAfter: true }).apply(lstm);
  const out = tf.layers.dense({ name: "classes", units: 3, activation: "softmax" }).apply(gru) as Symbolic;
  const model = tf.model({ inputs: input, outputs: out });
  fill(model);
  return model;
}

/** A transformer block: attention and a feed-forward part, each with a skip and a normalization. [5, 4] -> 3 classes. */
export function transformer(): tf.LayersModel {
  const input = tf.input({ shape: [5, 4], name: "sequence" });
  const attention = ours("MultiHeadAttention", { name: "attention", numHeads: 2, keyDim: 3 });
  const norm = (name: string, x: unknown): Symbolic =>
    tf.layers.layerNormalization({ name }).apply(x as Symbolic) as Symbolic;
  const add = (name: string, list: unknown[]) => tf.layers.add({ name }).apply(list as Symbolic[]);
  const first = norm("norm1", add("skip1", [input, attention.apply([input, input])]));
  const wide = tf.layers.dense({ name: "wide", units: 6, activation: "relu" }).apply(first);
  const second = norm(
    "norm2",
    add("skip2", [first, tf.layers.dense({ name: "narrow", units: 4 }).apply(wide)]),
  );
  const pooled = tf.layers.globalAveragePooling1d({ name: "pool" }).apply(second);
  const out = tf.layers.dense({ name: "classes", units: 3, activation: "softmax" }).apply(pooled) as Symbolic;
  const model = tf.model({ inputs: input, outputs: out });
  fill(model);
  return model;
}
