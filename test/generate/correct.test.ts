import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import type { Engine } from "../../sdk/engine/engine.js";
import { engine } from "../../sdk/engine/index.js";
import {
  artifactOf,
  corrected,
  decode,
  fold,
  generate,
  type Packable,
  unfolded,
} from "../../sdk/generate/index.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { autoqnn } from "../../sdk/index.js";
import { LAYERS } from "../../sdk/model/layers/index.js";
import { calibrate } from "../../sdk/train/calibrate.js";
import { checkedSource, type Source } from "../../sdk/train/data.js";
import type { Assignment, Candidate } from "../../sdk/train/policy.js";
import { blobData, smallNetwork } from "../plan/blobs.js";
import { PROVENANCE } from "./models.js";

let host: Engine;
let source: Source;
let images: tf.Tensor;
beforeAll(async () => {
  host = await engine();
  const batches = [16, 16, 8].map((n, k) => ({
    x: tf.add(tf.randomNormal([n, 3, 3, 4], 0, 1, "float32", k), 1.5),
    y: tf.zeros([n], "int32"),
  }));
  source = await checkedSource("train", batches, { inputShape: [null, 3, 3, 4], classes: 3 });
  images = tf.concat(batches.map(({ x }) => x));
});

const l = tf.layers;
const init = (seed: number) => tf.initializers.glorotNormal({ seed });

/** Linear, with filters of one pixel: the mean of what each layer makes follows from the means of what it takes. */
function linear(): tf.LayersModel {
  return tf.sequential({
    layers: [
      l.inputLayer({ inputShape: [3, 3, 4] }),
      l.conv2d({ name: "conv", filters: 4, kernelSize: 1, kernelInitializer: init(1) }),
      new LAYERS.Conv2D!({
        name: "groups",
        filters: 6,
        kernelSize: 1,
        groups: 2,
        kernelInitializer: init(2),
      }),
      l.depthwiseConv2d({ name: "depth", kernelSize: 1, depthMultiplier: 2, depthwiseInitializer: init(3) }),
      l.batchNormalization({ name: "norm" }),
      // Means are per channel, not per place.
      l.globalAveragePooling2d({ name: "pool", dataFormat: "channelsLast" }),
      l.dense({ name: "classes", units: 3, kernelInitializer: init(4) }),
    ],
  });
}

const everywhere = (graph: QuantizedGraph, candidate: Candidate, kinds: string[]): Assignment =>
  Object.fromEntries(graph.nodes.flatMap(({ id, kind }) => (kinds.includes(kind) ? [[id, candidate]] : [])));

async function correct(graph: QuantizedGraph, assignment: Assignment, folded: boolean) {
  const snapshot = await calibrate(host, graph, source, { batchSize: 16, batches: 3, seed: 1 });
  const given: Packable = folded ? fold(graph, snapshot, assignment) : unfolded(graph, snapshot, "kept");
  const decoded = decode(artifactOf(graph, snapshot, assignment, PROVENANCE, given));
  const at = { engine: host, source, batchSize: 16, batches: 3, seed: 1 };
  const { packable, layers } = await corrected(at, given, decoded, assignment);
  const made = (each: Packable) => generate(graph, snapshot, assignment, PROVENANCE, each);
  return { before: made(given), after: made(packable), given, packable, layers };
}

const meanOf = (y: tf.Tensor): tf.Tensor => tf.mean(y, 0);
const distance = (a: tf.Tensor, b: tf.Tensor): number => tf.norm(tf.sub(a, b)).dataSync()[0]!;

test.each([
  ["kept", false],
  ["folded", true],
])(
  "a linear network with its normalization %s makes on average what it made in floating point",
  async (_, folded) => {
    const model = linear();
    const graph = quantizedGraph(model);
    const assignment = everywhere(graph, { scheme: "zoom", bits: 3 }, ["weight"]);
    const { before, after, layers } = await correct(graph, assignment, folded);
    expect(layers).toBe(4);
    const expected = model.predict(images) as tf.Tensor;
    const [off, near] = [before, after].map((each) =>
      distance(meanOf(each.predict(images) as tf.Tensor), meanOf(expected)),
    );
    expect(off).toBeGreaterThan(0.1);
    expect(near).toBeLessThan(1e-4);
    expect(after.nodes.map(({ staircase }) => staircase.levels)).toEqual(
      before.nodes.map(({ staircase }) => staircase.levels),
    );
  },
);

test("what quantizing inputs adds on average is taken out too", async () => {
  const model = linear();
  const graph = quantizedGraph(model, { quantizeInput: true });
  // Bucket centres of half the range each: everything that the network receives moves.
  const assignment = { "conv/input": { scheme: "fixed", bits: 2 } } as const;
  const { before, after } = await correct(graph, assignment, false);
  const expected = meanOf(model.predict(images) as tf.Tensor);
  const [off, near] = [before, after].map((each) =>
    distance(meanOf(each.predict(images) as tf.Tensor), expected),
  );
  expect(off).toBeGreaterThan(0.05);
  expect(near).toBeLessThan(1e-4);
});

test("nothing is changed where nothing is quantized, or the outputs would come no nearer", async () => {
  const graph = quantizedGraph(linear());
  const { packable, given, layers } = await correct(graph, {}, false);
  expect(layers).toBe(0);
  expect(packable).toBe(given);
});

test("layers without a bias, called twice, or with a quantized bias are left as they are", async () => {
  const input = tf.input({ shape: [3, 3, 4] });
  const shared = l.conv2d({ name: "shared", filters: 4, kernelSize: 1 });
  const twice = shared.apply(shared.apply(input));
  const plain = l.conv2d({ name: "plain", filters: 3, kernelSize: 1, useBias: false }).apply(twice);
  const flat = l.flatten({ name: "flat" }).apply(plain);
  const outputs = l.dense({ name: "classes", units: 3 }).apply(flat) as tf.SymbolicTensor;
  const graph = quantizedGraph(tf.model({ inputs: input, outputs }), { minimumRank: 1 });
  const assignment = everywhere(graph, { scheme: "zoom", bits: 3 }, ["weight"]);
  expect((await correct(graph, assignment, false)).layers).toBe(0);
});

test("a plan does so where it has data and no stage, unless it is asked not to", async () => {
  const given = { batchSize: 32, pin: { "*": { bits: 3 } } };
  const plan = autoqnn(smallNetwork(), { ...given, data: blobData() });
  const corrected = await plan.generate({ biasCorrection: true });
  expect(corrected.provenance.generation).toEqual({ folded: false, correctedBiases: 2 });
  const kept = await plan.generate({ biasCorrection: false });
  expect(kept.provenance.generation).not.toHaveProperty("correctedBiases");
  const unasked = autoqnn(smallNetwork(), { ...given, data: { train: blobData().train } });
  expect((await unasked.generate()).provenance.generation).toEqual(corrected.provenance.generation);
  const refused = { code: "bad-option", message: expect.stringMatching(/biasCorrection|correct biases/) };
  const tuned = plan.fineTune({ steps: 2, reestimate: 1 });
  await expect(tuned.generate({ biasCorrection: true })).rejects.toMatchObject(refused);
  const both = { biasCorrection: true, batchNormalization: "reestimate" } as const;
  await expect(plan.generate(both)).rejects.toMatchObject(refused);
  const without = autoqnn(smallNetwork(), given);
  await expect(without.generate({ biasCorrection: true })).rejects.toMatchObject(refused);
});
