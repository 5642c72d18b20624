import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../sdk/engine/engine.js";
import { engine } from "../../sdk/engine/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { fit, measure } from "../../sdk/staircase/schemes.js";
import { calibrate } from "../../sdk/train/calibrate.js";
import { checkedSource, type Source } from "../../sdk/train/data.js";
import { type Assignment, fixedPolicy } from "../../sdk/train/policy.js";
import { rangeOf } from "../../sdk/train/program.js";
import { pool, reestimate } from "../../sdk/train/reestimate.js";
import type { Snapshot } from "../../sdk/train/snapshot.js";

type Symbolic = tf.SymbolicTensor;

let host: Engine;
let images: tf.Tensor4D[];
beforeAll(async () => {
  host = await engine();
  images = [1, 2, 3, 4, 5].map((seed) =>
    // Batches of different brightness, so that the variance of the means matters.
    tf.add(tf.randomNormal([16, 6, 6, 2], 0, 1, "float32", seed), seed),
  );
});

const sourceOf = (batches: readonly tf.Tensor4D[]): Promise<Source> =>
  checkedSource(
    "train",
    batches.map((x) => ({ x, y: tf.zeros([x.shape[0]], "int32") })),
    { inputShape: [null, 6, 6, 2], classes: 3 },
  );

const conv = (name: string, seed: number): tf.layers.Layer =>
  tf.layers.conv2d({
    name,
    filters: 4,
    kernelSize: 3,
    padding: "same",
    useBias: false,
    kernelInitializer: tf.initializers.glorotNormal({ seed }),
  });

/** Two normalizations, the second behind a dropout that would inflate what it sees. */
function network(): tf.LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.inputLayer({ inputShape: [6, 6, 2] }),
      conv("one", 3),
      tf.layers.batchNormalization({
        name: "norm1",
        gammaInitializer: tf.initializers.randomNormal({ seed: 4, mean: 1 }),
        betaInitializer: tf.initializers.randomNormal({ seed: 5 }),
      }),
      tf.layers.activation({ name: "relu", activation: "relu" }),
      tf.layers.dropout({ name: "drop", rate: 0.5 }),
      conv("two", 6),
      tf.layers.batchNormalization({ name: "norm2" }),
      tf.layers.flatten({ name: "flat" } as never),
      tf.layers.dense({ name: "classes", units: 3, activation: "softmax" }),
    ],
  });
}

const twoBits: Assignment = Object.fromEntries(
  ["one/kernel", "two/kernel", "two/input", "classes/kernel", "classes/input"].map((id) => [
    id,
    { scheme: "clip", bits: 2 },
  ]),
);

async function measured(model: tf.LayersModel, batches: readonly tf.Tensor4D[], assignment: Assignment) {
  const graph = quantizedGraph(model);
  const before = await calibrate(host, graph, await sourceOf(images), { batchSize: 16, batches: 5, seed: 1 });
  const settings = { batchSize: 16, batches: batches.length, seed: 1 };
  const policy = fixedPolicy(assignment);
  const after = await reestimate(host, graph, before, policy, await sourceOf(batches), settings);
  return { graph, before, after };
}

/** The moments over all values, by tfjs. */
function momentsOf(parts: readonly tf.Tensor4D[]): { mean: Float32Array; variance: Float32Array } {
  const { mean, variance } = tf.moments(tf.concat([...parts]), [0, 1, 2]);
  return { mean: mean.dataSync() as Float32Array, variance: variance.dataSync() as Float32Array };
}

function expectNear(received: ArrayLike<number>, expected: Float32Array, digits = 4): void {
  expect(received.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(received[i]).toBeCloseTo(value, digits);
}

describe("re-estimated moments", () => {
  test("are those of all batches together, of the network as it is quantized", async () => {
    const model = network();
    const { graph, before, after } = await measured(model, images, twoBits);
    const quantized = (id: string, x: tf.Tensor): tf.Tensor => {
      const node = graph.nodes.find((candidate) => candidate.id === id)!;
      const own = node.kind === "weight" ? measure(before.variables[id]!.data) : before.statistics[id]!;
      const staircase = fit("clip", 2, own, rangeOf(node, before.signed[id]!), 1);
      return tf.tensor(staircase.apply(x.dataSync()), x.shape);
    };
    const kernel = (name: string): tf.Tensor4D =>
      quantized(`${name}/kernel`, model.getLayer(name).getWeights()[0]!) as tf.Tensor4D;

    const first = images.map((x) => tf.conv2d(x, kernel("one"), 1, "same"));
    const [gamma, beta] = model.getLayer("norm1").getWeights() as [tf.Tensor1D, tf.Tensor1D];
    const second = first.map((x) => {
      const { mean, variance } = tf.moments(x, [0, 1, 2]);
      const normal = tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-3)));
      const active = tf.relu(tf.add(tf.mul(normal, gamma), beta));
      return tf.conv2d(quantized("two/input", active) as tf.Tensor4D, kernel("two"), 1, "same");
    });
    for (const [name, parts] of [
      ["norm1", first],
      ["norm2", second],
    ] as const) {
      const { mean, variance } = momentsOf(parts);
      expectNear(after.variables[`${name}/moving_mean`]!.data, mean);
      expectNear(after.variables[`${name}/moving_variance`]!.data, variance);
    }
    const changed = Object.keys(after.variables).filter(
      (name) => after.variables[name]!.data !== before.variables[name]!.data,
    );
    expect(changed.sort()).toEqual([
      "norm1/moving_mean",
      "norm1/moving_variance",
      "norm2/moving_mean",
      "norm2/moving_variance",
    ]);
    expect({ ...after, variables: 0 }).toEqual({ ...before, variables: 0 });
  });

  test("do not depend on the order of the batches, nor on earlier averages", async () => {
    const { after } = await measured(network(), images, twoBits);
    const shuffled = [3, 0, 4, 2, 1].map((i) => images[i]!);
    const model = network();
    const strange = [tf.ones([4]), tf.zeros([4]), tf.fill([4], 77), tf.fill([4], 99)];
    model.getLayer("norm2").setWeights(strange);
    const other = await measured(model, shuffled, twoBits);
    for (const name of ["norm2/moving_mean", "norm2/moving_variance"])
      expect(other.after.variables[name]!.data).toEqual(after.variables[name]!.data);
  });

  test("take all calls of a shared layer together", async () => {
    const input = tf.input({ shape: [6, 6, 2] });
    const shared = tf.layers.batchNormalization({ name: "norm" });
    const sides = [conv("left", 7), conv("right", 8)].map(
      (layer) => shared.apply(layer.apply(input)) as Symbolic,
    );
    const flat = tf.layers.flatten().apply(tf.layers.add().apply(sides));
    const outputs = tf.layers.dense({ units: 3, activation: "softmax" }).apply(flat) as Symbolic;
    const model = tf.model({ inputs: input, outputs });
    const { after } = await measured(model, images, {});
    const kernels = ["left", "right"].map((name) => model.getLayer(name).getWeights()[0] as tf.Tensor4D);
    const { mean, variance } = momentsOf(
      images.flatMap((x) => kernels.map((kernel) => tf.conv2d(x, kernel, 1, "same"))),
    );
    expectNear(after.variables["norm/moving_mean"]!.data, mean);
    expectNear(after.variables["norm/moving_variance"]!.data, variance);
  });

  test("leave a network without batch normalization as it is", async () => {
    const model = tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [6, 6, 2] } as never),
        tf.layers.dense({ units: 3, activation: "softmax" }),
      ],
    });
    const { before, after } = await measured(model, images, {});
    expect(after).toBe(before);
  });

  test("leave no tensor behind", async () => {
    const model = network();
    const graph = quantizedGraph(model);
    const source = await sourceOf(images);
    const before: Snapshot = await calibrate(host, graph, source, { batchSize: 16, batches: 2, seed: 1 });
    const run = () =>
      reestimate(host, graph, before, fixedPolicy(twoBits), source, { batchSize: 16, batches: 2, seed: 1 });
    await run();
    const tensors = tf.memory().numTensors;
    await run();
    expect(tf.memory().numTensors).toBe(tensors);
  });
});

test("pooled moments are those of the values, whatever the parts", () => {
  const values = [0.1, -3, 8, 8, 2.5, 1000, 1001, -7];
  const moments = (part: readonly number[]) => {
    const mean = part.reduce((a, b) => a + b, 0) / part.length;
    const variance = part.reduce((sum, x) => sum + (x - mean) ** 2, 0) / part.length;
    return { mean: [mean], variance: [variance], count: part.length };
  };
  const whole = moments(values);
  const { mean, variance } = pool([values.slice(0, 1), values.slice(1, 6), values.slice(6)].map(moments));
  expect(mean[0]).toBeCloseTo(whole.mean[0]!, 3);
  expect(variance[0]! / whole.variance[0]!).toBeCloseTo(1, 6);
});
