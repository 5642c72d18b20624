import * as tf from "@tensorflow/tfjs";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { measure } from "../../sdk/staircase/schemes.js";
import type { Assignment, Candidate } from "../../sdk/train/policy.js";
import { type Snapshot, toHost } from "../../sdk/train/snapshot.js";

/** A classifier with convolutions, batch normalisation and a skip connection. */
export function functional(): tf.LayersModel {
  const input = tf.input({ shape: [6, 6, 2], name: "image" });
  const conv = (name: string, filters: number) =>
    tf.layers.conv2d({
      name,
      filters,
      kernelSize: 3,
      padding: "same",
      kernelInitializer: tf.initializers.glorotNormal({ seed: 5 }),
    });
  const first = tf.layers.batchNormalization({ name: "norm" }).apply(conv("conv1", 5).apply(input));
  const active = tf.layers.activation({ name: "relu", activation: "relu" }).apply(first) as tf.SymbolicTensor;
  const second = conv("conv2", 5).apply(active) as tf.SymbolicTensor;
  const sum = tf.layers.add({ name: "add" }).apply([active, second]);
  const flat = tf.layers.flatten({ name: "flat" }).apply(sum);
  const out = dense("predictions", 3, "softmax").apply(flat) as tf.SymbolicTensor;
  return tf.model({ inputs: input, outputs: out, name: "functional" });
}

/** A model inside a model, whose last layer is the same one called twice. */
export function nested(): tf.LayersModel {
  const inner = tf.sequential({ name: "inner" });
  inner.add(dense("hidden", 7, "relu", [4]));
  inner.add(dense("narrow", 4, "relu"));
  const input = tf.input({ shape: [4], name: "left" });
  const shared = dense("shared", 4, "tanh");
  const once = inner.apply(shared.apply(input)) as tf.SymbolicTensor;
  const twice = shared.apply(once) as tf.SymbolicTensor;
  return tf.model({
    inputs: input,
    outputs: dense("out", 3, "softmax").apply(twice) as tf.SymbolicTensor,
    name: "nested",
  });
}

/** tfjs's recurrent layers and wrappers, with masks, and states of stacked cells among the outputs. */
export function sequences(): tf.LayersModel {
  const input = tf.input({ shape: [5, 3], name: "sequence" });
  const seed = (k: number) => ({
    kernelInitializer: tf.initializers.glorotNormal({ seed: k }),
    recurrentInitializer: tf.initializers.glorotNormal({ seed: k + 1 }),
  });
  const l = tf.layers;
  const masked = l.masking({ name: "mask", maskValue: 0 }).apply(input);
  const lstm = l.lstm({ name: "lstm", units: 3, returnSequences: true, ...seed(1) }).apply(masked);
  const gru = l.gru({ name: "gru", units: 2, returnSequences: true, ...seed(3) }) as tf.RNN;
  const both = l.bidirectional({ name: "both", layer: gru, mergeMode: "concat" }).apply(lstm);
  const each = l.timeDistributed({ name: "each", layer: dense("part", 3, "tanh") }).apply(both);
  const cells = [l.lstmCell({ units: 2, ...seed(5) }), l.gruCell({ units: 3, ...seed(7) })];
  const stack = l.rnn({ name: "stack", cell: cells as never, returnState: true, unroll: false });
  return tf.model({ inputs: input, outputs: stack.apply(each) as tf.SymbolicTensor[], name: "sequences" });
}

/** Two inputs, two outputs. */
export function branched(): tf.LayersModel {
  const a = tf.input({ shape: [3], name: "a" });
  const b = tf.input({ shape: [5], name: "b" });
  const joined = tf.layers
    .concatenate({ name: "join" })
    .apply([
      dense("left", 4, "relu").apply(a) as tf.SymbolicTensor,
      dense("right", 4, "relu").apply(b) as tf.SymbolicTensor,
    ]);
  const outputs = [dense("one", 2).apply(joined), dense("two", 3).apply(joined)] as tf.SymbolicTensor[];
  return tf.model({ inputs: [a, b], outputs, name: "branched" });
}

function dense(name: string, units: number, activation?: "relu" | "tanh" | "softmax", inputShape?: number[]) {
  return tf.layers.dense({
    name,
    units,
    kernelInitializer: tf.initializers.glorotNormal({ seed: units }),
    biasInitializer: tf.initializers.randomNormal({ seed: 3, stddev: 0.1 }),
    ...(activation && { activation }),
    ...(inputShape && { inputShape }),
  });
}

/** Weights as they are; inputs as if normally distributed, those after ReLU rectified. */
export async function snapshotOf(graph: QuantizedGraph): Promise<Snapshot> {
  const values = graph.read();
  const variables = await toHost(values);
  tf.dispose(values);
  const normal = tf.tidy(() => tf.randomNormal([4000], 0, 0.8, "float32", 11).dataSync());
  const inputs = graph.nodes.filter((node) => node.kind === "input");
  const unsigned = inputs.filter(({ id }) => /conv2|narrow/.test(id)).map(({ id }) => id);
  return {
    variables,
    statistics: Object.fromEntries(
      inputs.map(({ id }) => [
        id,
        measure(unsigned.includes(id) ? normal.map((x) => Math.max(0, x)) : normal),
      ]),
    ),
    scales: Object.fromEntries(graph.nodes.map(({ id }, i) => [id, 1 + 0.05 * (i % 3)])),
    signed: Object.fromEntries(graph.nodes.map(({ id }) => [id, !unsigned.includes(id)])),
  };
}

const WEIGHTS: readonly Candidate[] = [
  { scheme: "clip", bits: 3 },
  { scheme: "ternary", bits: 2 },
  { scheme: "binary", bits: 1 },
  { scheme: "residual", bits: 5 },
  { scheme: "zoom", bits: 7 },
  { scheme: "pot", bits: 3 },
];
const INPUTS: readonly Candidate[] = [
  { scheme: "clip", bits: 3 },
  { scheme: "zoom", bits: 5 },
  { scheme: "pot", bits: 2 },
];

/** Odd bitwidths and different schemes, so that nothing in the packing falls on whole bytes by luck. */
export function assignmentOf(graph: QuantizedGraph): Assignment {
  return Object.fromEntries(
    graph.nodes.map((node, i) => {
      const candidates = node.kind === "weight" ? WEIGHTS : INPUTS;
      return [node.id, candidates[i % candidates.length]!];
    }),
  );
}

export const PROVENANCE = { library: "0.0.0", seed: 1, stages: [] };

export const graphOf = (model: tf.LayersModel): QuantizedGraph => quantizedGraph(model);
