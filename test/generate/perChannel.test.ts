import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { fold, generate, load } from "../../sdk/generate/index.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { LAYERS } from "../../sdk/model/layers/index.js";
import { toHost } from "../../sdk/train/snapshot.js";
import { batch, predicted } from "./both.js";
import { assignmentOf, PROVENANCE, snapshotOf } from "./models.js";

const directory = mkdtempSync(join(tmpdir(), "channels-"));
beforeAll(() => engine().then(() => undefined));
afterAll(() => rmSync(directory, { recursive: true }));

const l = tf.layers;

/** Every class with its own order of axes, each followed by a batch normalization of widely spread variances. */
function network(): tf.LayersModel {
  const spread = (seed: number, name: string) =>
    l.batchNormalization({
      name,
      movingVarianceInitializer: tf.initializers.randomUniform({ seed, minval: 0.01, maxval: 2 }),
      gammaInitializer: tf.initializers.randomNormal({ seed, mean: 1, stddev: 0.3 }),
    });
  const init = (seed: number) => tf.initializers.glorotNormal({ seed });
  const pointwiseInitializer = init(4);
  return tf.sequential({
    layers: [
      l.inputLayer({ inputShape: [5, 5, 3] }),
      l.depthwiseConv2d({ name: "depth", kernelSize: 3, depthMultiplier: 2, depthwiseInitializer: init(1) }),
      spread(1, "depth_bn"),
      l.conv2d({ name: "conv", filters: 4, kernelSize: 2, kernelInitializer: init(2) }),
      spread(2, "conv_bn"),
      new LAYERS.Conv2DTranspose!({ name: "up", filters: 3, kernelSize: 3, kernelInitializer: init(3) }),
      spread(3, "up_bn"),
      l.separableConv2d({
        ...{ name: "apart", filters: 4, kernelSize: 2, depthwiseInitializer: init(5) },
        pointwiseInitializer: pointwiseInitializer as never,
      }),
      spread(4, "apart_bn"),
      l.flatten({ name: "flat" }),
      l.dense({ name: "classes", units: 3, kernelInitializer: init(6) }),
    ],
  });
}

const perChannel = (): QuantizedGraph => quantizedGraph(network(), { perChannel: true });

/** The channel of value i of each weight, written out by its layer's definition. */
const CHANNELS: Readonly<Record<string, { readonly count: number; readonly of: (i: number) => number }>> = {
  "depth/depthwise_kernel": { count: 6, of: (i) => i % 6 }, // [3, 3, in 3, multiplier 2]
  "conv/kernel": { count: 4, of: (i) => i % 4 }, // [2, 2, 6, out 4]
  "up/kernel": { count: 3, of: (i) => Math.floor(i / 4) % 3 }, // [3, 3, out 3, in 4]
  "apart/depthwise_kernel": { count: 3, of: (i) => i % 3 }, // [2, 2, 3, 1]
  "apart/pointwise_kernel": { count: 4, of: (i) => i % 4 }, // [1, 1, 3, out 4]
  "classes/kernel": { count: 3, of: (i) => i % 3 },
};

const eightBits = (graph: QuantizedGraph) =>
  Object.fromEntries(
    graph.nodes.flatMap(({ id, kind }) =>
      kind === "weight" ? [[id, { scheme: "fixed" as const, bits: 8 }]] : [],
    ),
  );

test("fixed at 8 bits rounds every channel to 127ths of its own largest magnitude", async () => {
  const graph = perChannel();
  const snapshot = { ...(await snapshotOf(graph)), scales: {} };
  const model = generate(graph, snapshot, eightBits(graph), PROVENANCE);
  expect(model.nodes.map(({ id }) => id).sort()).toEqual(Object.keys(CHANNELS).sort());

  const variables = Object.fromEntries(
    Object.entries(snapshot.variables).map(([name, { shape, data }]) => {
      const channels = CHANNELS[name];
      if (!channels) return [name, tf.tensor(data as Float32Array, [...shape])];
      const largest = new Float64Array(channels.count);
      data.forEach((w, i) => {
        largest[channels.of(i)] = Math.max(largest[channels.of(i)]!, Math.abs(w));
      });
      const rounded = Float32Array.from(data, (w, i) => {
        const step = largest[channels.of(i)]! / 127;
        return Math.round(w / step) * step;
      });
      return [name, tf.tensor(rounded, [...shape])];
    }),
  );
  const inputs = batch(graph);
  const plain = { training: false, quantize: (_: unknown, x: tf.Tensor) => x };
  const [expected] = graph.forward(variables, inputs, plain).outputs;
  const [ours] = predicted(model, inputs);
  const scale = tf.max(tf.abs(expected!)).dataSync()[0]!;
  const differences = [...expected!.dataSync()].map((y, i) => Math.abs(y - ours![i]!) / scale);
  // A value that fell into another bucket would show as a step, some 1e-3.
  expect(Math.max(...differences)).toBeLessThan(1e-5);
});

test("channels of any size lose the same: a scale of each does not depend on the others", async () => {
  const graph = perChannel();
  const snapshot = await snapshotOf(graph);
  const kernel = snapshot.variables["conv/kernel"]!;
  // Powers of two, which only move exponents.
  const grown = Float32Array.from(kernel.data, (w, i) => w * 2 ** (5 * (i % 4)));
  const wide = {
    ...snapshot,
    variables: { ...snapshot.variables, "conv/kernel": { ...kernel, data: grown } },
  };
  for (const scheme of ["fixed", "zoom", "clip"] as const) {
    const nodes = [snapshot, wide].map((each) => {
      const made = generate(graph, each, { "conv/kernel": { scheme, bits: 4 } }, PROVENANCE);
      return made.nodes[0]!;
    });
    expect(nodes[1]!.staircase.levels).toEqual(nodes[0]!.staircase.levels);
    expect([...nodes[1]!.factor!.values]).toEqual(
      [...nodes[0]!.factor!.values].map((f, c) => f * 2 ** (5 * c)),
    );
  }
});

test("a channel of zeros is divided by 1, and stays near zero", async () => {
  const graph = perChannel();
  const snapshot = await snapshotOf(graph);
  const kernel = snapshot.variables["conv/kernel"]!;
  const data = Float32Array.from(kernel.data, (w, i) => (i % 4 === 2 ? 0 : w));
  const zeros = { ...snapshot, variables: { ...snapshot.variables, "conv/kernel": { ...kernel, data } } };
  const model = generate(graph, zeros, { "conv/kernel": { scheme: "fixed", bits: 8 } }, PROVENANCE);
  expect(model.nodes[0]!.factor!.values[2]).toBe(1);
  expect(model.nodes[0]!.staircase.apply([0])).toEqual(Float32Array.of(0));
});

test("folding multiplies its factors with those of the channels, and changes no prediction", async () => {
  const graph = perChannel();
  const snapshot = await snapshotOf(graph);
  const assignment = eightBits(graph);
  const kept = generate(graph, snapshot, assignment, PROVENANCE);
  const folded = generate(graph, snapshot, assignment, PROVENANCE, fold(graph, snapshot, assignment));
  expect(folded.batchNormalizations.every((outcome) => "into" in outcome)).toBe(true);
  const inputs = batch(graph);
  const [[theirs], [ours]] = [predicted(kept, inputs), predicted(folded, inputs)];
  const scale = Math.max(...theirs!.map(Math.abs));
  expect(Math.max(...theirs!.map((y, i) => Math.abs(y - ours![i]!)))).toBeLessThan(1e-5 * scale);
});

test("factors are counted, stored, and give the same predictions after loading", async () => {
  const graph = perChannel();
  const snapshot = await snapshotOf(graph);
  const assignment = assignmentOf(graph);
  const model = generate(graph, snapshot, assignment, PROVENANCE);
  const plain = generate(quantizedGraph(graph.model), snapshot, assignment, PROVENANCE);
  const channels = Object.values(CHANNELS).reduce((sum, { count }) => sum + count, 0);
  expect(model.sizes.floatingBytes - plain.sizes.floatingBytes).toBe(4 * channels);
  expect(model.sizes.memoryBytes.peak - plain.sizes.memoryBytes.peak).toBe(4 * channels);
  expect(model.sizes.packedBytes).toBe(plain.sizes.packedBytes);
  expect(model.sizes.bitOperations).toBe(plain.sizes.bitOperations);

  await model.save(join(directory, "artifact"));
  const same = await load(join(directory, "artifact"));
  expect(same.nodes).toEqual(model.nodes.map((node) => ({ ...node, staircase: expect.anything() })));
  const inputs = batch(graph);
  expect(predicted(same, inputs)).toEqual(predicted(model, inputs));
});

test("weights of layers whose channels are not known keep one scale", () => {
  const embedding = tf.sequential({
    layers: [l.embedding({ name: "words", inputDim: 5, outputDim: 3, inputLength: 2 }), l.flatten()],
  });
  const { nodes } = quantizedGraph(embedding, { perChannel: true });
  expect(nodes.map(({ id, channelAxes }) => [id, channelAxes])).toEqual([["words/embeddings", undefined]]);
  expect(quantizedGraph(network()).nodes.every(({ channelAxes }) => channelAxes === undefined)).toBe(true);
});

test("the variables of a snapshot stay as they were", async () => {
  const graph = perChannel();
  const snapshot = await snapshotOf(graph);
  generate(graph, snapshot, eightBits(graph), PROVENANCE);
  const values = graph.read();
  expect(snapshot.variables).toEqual(await toHost(values));
  tf.dispose(values);
});
