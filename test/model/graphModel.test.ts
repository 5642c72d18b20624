import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../sdk/engine/engine.js";
import { engine } from "../../sdk/engine/index.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { autoqnn, load, models } from "../../sdk/index.js";
import { directory } from "./files.js";
import { unit } from "./formula.js";
import { CASES, caseOf, type GraphCase, type GraphNode, type Numbers, written } from "./graphCase.js";

/** Float32 programs that add in another order, through a few layers. */
const TOLERANCE = 2e-5;

function batchOf({ shape }: GraphCase, batch: number): tf.Tensor {
  const full = [batch, ...shape];
  return tf.tensor(
    Float32Array.from(
      unit(
        "input",
        full.reduce((a, b) => a * b, 1),
      ),
      (r) => 2 * r - 1,
    ),
    full,
  );
}

function expectNear(what: string, actual: tf.Tensor, { shape, values }: Numbers): void {
  expect(actual.shape, what).toEqual(shape);
  const computed = actual.dataSync();
  const scale = Math.max(1e-2, ...values.map(Math.abs));
  const error = Math.max(...values.map((value, i) => Math.abs(computed[i]! - value) / scale));
  expect(error, what).toBeLessThan(TOLERANCE);
}

let native: Engine;
beforeAll(async () => {
  native = await engine();
});

describe.each(CASES.map((each) => [each.name, each] as const))("a graph model: %s", (_, each) => {
  const keys = Object.keys(each.signature.outputs);

  test("computes what TensorFlow does, for batches of any size, also saved and loaded again", async () => {
    const model = await models.load(written(each));
    const path = directory();
    await models.save(model, path);
    for (const own of [model, await models.load(path)]) {
      for (const [batch, results] of Object.entries(each.results)) {
        const outputs = [own.predict(batchOf(each, Number(batch)))].flat();
        keys.forEach((key, n) => {
          expectNear(`${key} of ${batch}`, outputs[n]!, results[key]!);
        });
      }
      own.dispose();
    }
  });

  test("becomes a quantized graph whose compiled pass has gradients for every weight", async () => {
    const model = await models.load(written(each));
    const graph = quantizedGraph(model);
    const weights = graph.nodes.filter(({ kind }) => kind === "weight");
    expect(weights.length).toBeGreaterThan(0);
    const names = weights.map(({ variable }) => variable!);
    const step = native.compile("graph", (all) => {
      const forward = (...values: tf.Tensor[]): tf.Tensor => {
        const own = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
        const { outputs } = graph.forward({ ...all, ...own }, [all.x!], {
          training: false,
          quantize: (__, x) => x,
        });
        keys.forEach((key, n) => {
          results[key] = tf.keep(outputs[n]!);
        });
        return tf.addN(outputs.map((y) => tf.sum(tf.square(y))));
      };
      const results: Record<string, tf.Tensor> = {};
      const gradients = tf.grads(forward)(names.map((name) => all[name]!));
      return { ...results, ...Object.fromEntries(gradients.map((g, i) => [`gradient:${i}`, g])) };
    });
    const results = await step.run({ x: batchOf(each, 2), ...graph.read() });
    step.dispose();
    for (const key of keys) expectNear(key, results[key]!, each.results[2]![key]!);
    for (const [i, name] of names.entries()) {
      const size = tf.sum(tf.abs(results[`gradient:${i}`]!)).dataSync()[0]!;
      expect(size, name).toBeGreaterThan(0);
    }
    model.dispose();
  });
});

describe("nodes of a graph", () => {
  test("that are one layer become that layer, under the name of their scope", async () => {
    const model = await models.load(written(caseOf("a convolutional network")));
    const made = Object.fromEntries(model.layers.map((layer) => [layer.name, layer.getClassName()]));
    expect(Object.values(made).filter((kind) => kind === "Operation")).toHaveLength(4);
    expect(made).toMatchObject({
      x: "InputLayer",
      stem: "Conv2D",
      stem_bn: "BatchNormalization",
      depthwise: "DepthwiseConv2D",
      project: "Conv2D",
      down: "Conv2D",
      add_add: "Operation",
      classes: "Activation",
    });
    const counted = quantizedGraph(model).nodes.find(({ id }) => id === "stem/kernel");
    expect(counted).toMatchObject({ shape: [3, 3, 3, 8], macs: 6 * 6 * 27 * 8 });
    model.dispose();
  });

  test("that make examples of parts of examples are counted for whole ones", async () => {
    const model = await models.load(written(caseOf("windows cut out of images")));
    const [kernel, input] = quantizedGraph(model, { quantizeInput: true }).nodes;
    // 4 windows of 4 pixels with 8 channels each, times a matrix of 8 x 8.
    expect(kernel).toMatchObject({ kind: "weight", shape: [8, 8], macs: 4 * 4 * 8 * 8 });
    expect(input).toMatchObject({ kind: "input", shape: [4, 4, 8], elements: 128, macs: 4 * 4 * 8 * 8 });
    model.dispose();
  });

  const each = caseOf("a transformer");
  const refused = (change: (node: GraphNode) => GraphNode, message: RegExp) =>
    expect(models.load(written(each, change))).rejects.toEqual(
      expect.objectContaining({ code: "bad-model", message: expect.stringMatching(message) }),
    );

  test("that cannot be computed are named", async () => {
    const [softmax] = each.topology.node.filter(({ op }) => op === "Softmax");
    const ops = ["While", "NonMaxSuppressionV5", "HashTableV2", "constructor"];
    for (const op of ops) {
      const change = (node: GraphNode): GraphNode => (node === softmax ? { ...node, op } : node);
      await refused(change, new RegExp(`received ${op} at ${op} node "${softmax!.name}"`));
    }
  });

  test("that run functions, wait for each other, or lack an input or their values are named", async () => {
    const [softmax] = each.topology.node.filter(({ op }) => op === "Softmax");
    const with_ = (rest: Partial<GraphNode>) => (node: GraphNode) =>
      node === softmax ? { ...node, ...rest } : node;
    await refused(
      with_({ attr: { body: { func: { name: "loop" } } } }),
      /functions of its own, received body/,
    );
    await refused(with_({ input: ["nowhere"] }), /nodes that exist, received "nowhere"/);
    await refused(with_({ input: [softmax!.name] }), /a cycle through/);
    await refused(with_({ input: [`${softmax!.input![0]}:3`] }), /an output 3/);
    await refused(with_({ op: "Const" }), /its values among the weights/);
  });
});

test("a graph that would fill the memory is refused before it does", async () => {
  const node = [
    { name: "x", op: "Placeholder", attr: { shape: { shape: { dim: [{ size: "-1" }, { size: "3" }] } } } },
    { name: "dims", op: "Const" },
    { name: "value", op: "Const" },
    { name: "filled", op: "Fill", input: ["dims", "value"] },
    { name: "y", op: "AddV2", input: ["x", "filled"] },
  ];
  const weights = [
    { name: "dims", shape: [2], dtype: "int32", values: [1000000, 1000000] },
    { name: "value", shape: [], dtype: "float32", values: [1] },
  ];
  const graph = { name: "", shape: [], topology: { node }, signature: { outputs: {} }, weights, results: {} };
  await expect(models.load(written(graph))).rejects.toEqual(
    expect.objectContaining({
      code: "bad-model",
      message: expect.stringMatching(/made of constants.*"filled"/),
    }),
  );
});

test("a graph model goes through every stage, and its artifact predicts the same after loading", async () => {
  const each = caseOf("a convolutional network");
  const model = await models.load(written(each));
  const batch = () => ({ x: batchOf(each, 8), y: tf.tensor1d([0, 1, 2, 3, 4, 0, 1, 2], "int32") });
  const data = {
    train: {
      *[Symbol.iterator]() {
        yield batch();
      },
    },
  };
  const quantized = await autoqnn(model, { data, batchSize: 8 })
    .searchSchemes({ steps: 2, trialSteps: 1 })
    .learnPrecision({ steps: 2, trialSteps: 1, budget: { averageBits: 3 } })
    .fineTune({ steps: 2, reestimate: 1 })
    .generate();
  expect(quantized.sizes.averageBits.weights).toBeLessThanOrEqual(3);
  const path = directory();
  await quantized.save(path);
  const x = batchOf(each, 3);
  const [ours, theirs] = [quantized.predict(x) as tf.Tensor, (await load(path)).predict(x) as tf.Tensor];
  expect(theirs.dataSync()).toEqual(ours.dataSync());
  expect(ours.dataSync().every(Number.isFinite)).toBe(true);
});
