import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { nested, residual } from "./models.js";

type Values = Record<string, tf.Tensor>;

const keep = (_: unknown, x: tf.Tensor): tf.Tensor => x;
const seed = (a: number, b: number): tf.Tensor => tf.tensor1d([a, b], "int32");
const l = tf.layers;
const model = (...layers: tf.layers.Layer[]): tf.Sequential => tf.sequential({ layers });
const data = (t: tf.Tensor): number[] => [...t.dataSync()];

const expectNear = (actual: number[], expected: number[], tolerance: number): void => {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of actual.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThan(tolerance);
};

/** Batch normalization of the second axis by its formula. */
function normalized(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: number): tf.Tensor {
  const { mean, variance } = tf.moments(x, [0, 2, 3], true);
  const [scale, offset] = [gamma, beta].map((t) => tf.reshape(t, mean.shape));
  return tf.add(tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, epsilon))), scale!), offset!);
}

beforeAll(() => tf.setBackend("cpu"));

describe("batch normalization in training", () => {
  it.each([
    ["last axis", -1, [4, 4, 3]],
    ["channels first", 1, [3, 4, 4]],
    ["rank 2", -1, [5]],
  ])("gives what the layer's own training call gives, and its moving averages: %s", (_, axis, shape) => {
    const m = model(
      l.batchNormalization({ name: "bn", axis, momentum: 0.8, epsilon: 0.01, inputShape: shape } as never),
    );
    m.setWeights(m.getWeights().map((w, i) => tf.randomUniform(w.shape, 0.5, 1.5, "float32", i + 1)));
    const graph = quantizedGraph(m);
    const x = tf.randomNormal([6, ...shape], 1, 2, "float32", 9);
    const { y, updates } = tf.tidy(() => {
      const { outputs, updates } = graph.forward(graph.read(), x, { training: true, quantize: keep });
      return {
        y: data(outputs[0]!),
        updates: Object.fromEntries(Object.entries(updates).map(([k, v]) => [k, data(v)])),
      };
    });
    const [gamma, beta] = m.getWeights() as [tf.Tensor, tf.Tensor];
    const own = m.apply(x, { training: true }) as tf.Tensor;
    // On the cpu backend tfjs repeats parameters along the last axis, whichever axis they belong to.
    const expected = data(axis === -1 ? own : normalized(x, gamma, beta, 0.01));
    expectNear(y, expected, 1e-5);
    expect(Object.keys(updates)).toEqual(["bn/moving_mean", "bn/moving_variance"]);
    expectNear(updates["bn/moving_mean"]!, data(graph.read()["bn/moving_mean"]!), 1e-6);
    expectNear(updates["bn/moving_variance"]!, data(graph.read()["bn/moving_variance"]!), 1e-5);
  });

  it("works without scale and center, and inside wrappers and shared models", () => {
    const bare = quantizedGraph(
      model(l.batchNormalization({ scale: false, center: false, inputShape: [4] })),
    );
    const x = tf.randomNormal([50, 4], 3, 2, "float32", 3);
    const y = tf.tidy(() => bare.forward(bare.read(), x, { training: true, quantize: keep }).outputs[0]!);
    expectNear(data(tf.mean(y, 0)), [0, 0, 0, 0], 1e-4);

    const wrapped = quantizedGraph(
      model(
        l.timeDistributed({
          name: "each",
          layer: l.batchNormalization({ momentum: 0.5 }),
          inputShape: [3, 4],
        }),
      ),
    );
    const { updates } = tf.tidy(() =>
      wrapped.forward(wrapped.read(), tf.ones([2, 3, 4]), { training: true, quantize: keep }),
    );
    // Three steps of m <- (m + 1) / 2 from 0.
    expectNear(data(updates["each/moving_mean"]!), Array(4).fill(0.875), 1e-6);
  });
});

describe("random layers in training", () => {
  const rate = 0.3;
  const kinds: [string, () => tf.layers.Layer, number][] = [
    ["Dropout", () => l.dropout({ rate, inputShape: [4, 500] } as never), Math.sqrt(rate / (1 - rate))],
    [
      "GaussianDropout",
      () => l.gaussianDropout({ rate, inputShape: [4, 500] }),
      Math.sqrt(rate / (1 - rate)),
    ],
    ["GaussianNoise", () => l.gaussianNoise({ stddev: 0.5, inputShape: [4, 500] }), 0.5],
  ];
  const moments = (t: tf.Tensor): [number, number] => {
    const { mean, variance } = tf.moments(t);
    return [mean.dataSync()[0]!, Math.sqrt(variance.dataSync()[0]!)];
  };
  const pass = (graph: ReturnType<typeof quantizedGraph>, x: tf.Tensor, at: tf.Tensor): tf.Tensor =>
    tf.tidy(() => graph.forward(graph.read(), x, { training: true, quantize: keep, seed: at }).outputs[0]!);

  it.each(kinds)("%s has the right mean and deviation, from the seed alone", (_, make, deviation) => {
    const graph = quantizedGraph(model(make()));
    const x = tf.ones([8, 4, 500]);
    const first = pass(graph, x, seed(1, 2));
    const [mean, spread] = moments(first);
    expect(mean).toBeCloseTo(1, 1);
    expect(Math.abs(spread - deviation)).toBeLessThan(0.03);
    expect(data(pass(graph, x, seed(1, 2)))).toEqual(data(first));
    expect(data(pass(graph, x, seed(1, 3)))).not.toEqual(data(first));
  });

  it("AlphaDropout keeps mean and deviation of standard normal values", () => {
    const graph = quantizedGraph(model(l.alphaDropout({ rate, inputShape: [4000] })));
    const [mean, spread] = moments(pass(graph, tf.randomNormal([10, 4000], 0, 1, "float32", 4), seed(5, 6)));
    expect(Math.abs(mean)).toBeLessThan(0.03);
    expect(Math.abs(spread - 1)).toBeLessThan(0.03);
  });

  it("SpatialDropout1D drops whole channels", () => {
    const graph = quantizedGraph(model(l.spatialDropout1d({ rate: 0.5, inputShape: [6, 50] } as never)));
    const y = pass(graph, tf.ones([4, 6, 50]), seed(1, 1));
    expect(data(tf.max(y, 1))).toEqual(data(tf.min(y, 1)));
    expect(new Set(data(y))).toEqual(new Set([0, 2]));
  });

  it("two layers of a pass and two calls of a layer draw different numbers", () => {
    const input = tf.input({ shape: [200] });
    const shared = l.dropout({ rate: 0.5 });
    const outputs = [shared, shared, l.dropout({ rate: 0.5 })].map(
      (layer) => layer.apply(input) as tf.SymbolicTensor,
    );
    const graph = quantizedGraph(tf.model({ inputs: input, outputs }));
    const drawn = tf.tidy(() =>
      graph
        .forward({}, tf.ones([1, 200]), { training: true, quantize: keep, seed: seed(0, 7) })
        .outputs.map((t) => data(t).join("")),
    );
    expect(new Set(drawn).size).toBe(3);
  });

  it("recurrent cells draw their masks from the seed and keep nothing", () => {
    const m = model(
      l.lstm({ name: "lstm", units: 4, dropout: 0.5, recurrentDropout: 0.5, inputShape: [5, 3] }),
    );
    const graph = quantizedGraph(m);
    const values = graph.read();
    const x = tf.ones([3, 5, 3]);
    const run = (at: tf.Tensor): number[] =>
      tf.tidy(() => data(graph.forward(values, x, { training: true, quantize: keep, seed: at }).outputs[0]!));
    const seeds = [seed(1, 1), seed(1, 2)] as const;
    const before = tf.memory().numTensors;
    const first = run(seeds[0]);
    expect(run(seeds[0])).toEqual(first);
    expect(run(seeds[1])).not.toEqual(first);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("asks for the seed, and leaves every instance as it was when it throws", () => {
    const m = model(
      l.dense({ name: "d", units: 3, inputShape: [4] }),
      l.dropout({ name: "drop", rate: 0.5 }),
    );
    const graph = quantizedGraph(m);
    const x = tf.ones([2, 4]);
    const expected = data(m.predict(x) as tf.Tensor);
    expect(() => tf.tidy(() => graph.forward(graph.read(), x, { training: true, quantize: keep }))).toThrow(
      /seed for Dropout "drop"/,
    );
    expect(data(m.predict(x) as tf.Tensor)).toEqual(expected);
    expect(Object.hasOwn(m.layers[1]!, "call")).toBe(false);
    expect(Object.hasOwn(m.weights[0]!, "read")).toBe(false);
  });
});

describe("quantizing at the read", () => {
  it("passes every node's tensor through quantize once, and only those", () => {
    const graph = quantizedGraph(nested());
    const shapes: Record<string, number[]> = {};
    const values = graph.read();
    tf.tidy(() => {
      const x = tf.ones([2, 8, 8, 3]);
      const doubled = graph.forward(values, x, {
        training: false,
        quantize: (node, t) => {
          expect(shapes[node.id]).toBeUndefined();
          shapes[node.id] = node.kind === "input" ? t.shape.slice(1) : t.shape;
          return node.id === "stem/kernel" ? tf.mul(t, 2) : t;
        },
      });
      const plain = graph.forward({ ...values, "stem/kernel": tf.mul(values["stem/kernel"]!, 2) }, x, {
        training: false,
        quantize: keep,
      });
      expect(data(doubled.outputs[0]!)).toEqual(data(plain.outputs[0]!));
    });
    expect(shapes).toEqual(Object.fromEntries(graph.nodes.map(({ id, shape }) => [id, shape])));
    expect(graph.nodes.map(({ id }) => id)).toEqual([
      "stem/kernel",
      "inner/first/kernel",
      "inner/first/input",
      "inner/first/input:1",
      "inner/block/conv/kernel",
      "inner/block/conv/input",
      "inner/block/conv/input:1",
      "out/kernel",
      "out/input",
    ]);
  });

  it("gives the gradient of every trainable variable through a straight-through quantizer", () => {
    const graph = quantizedGraph(residual());
    const values = graph.read();
    const x = tf.randomNormal([4, 8, 8, 3], 0, 1, "float32", 1);
    const names = graph.variables.filter(({ trainable }) => trainable).map(({ name }) => name);
    const gradients = tf.grads((...tensors: tf.Tensor[]) => {
      const at: Values = { ...values, ...Object.fromEntries(names.map((name, i) => [name, tensors[i]!])) };
      const { outputs } = graph.forward(at, x, { training: true, logits: true, quantize: keep });
      return tf.sum(tf.square(outputs[0]!));
    })(names.map((name) => values[name]!));
    for (const [i, gradient] of gradients.entries()) {
      expect(gradient.shape).toEqual(values[names[i]!]!.shape);
      expect(tf.max(tf.abs(gradient)).dataSync()[0], names[i]).toBeGreaterThan(0);
    }
  });

  it.each([
    ["a dense layer", () => l.dense({ name: "last", units: 3, activation: "softmax" })],
    ["an activation layer", () => l.activation({ name: "last", activation: "softmax" })],
    ["a softmax layer", () => l.softmax({ name: "last", axis: -1 })],
    [
      "a nested model",
      () =>
        tf.sequential({
          name: "last",
          layers: [l.dense({ units: 3, activation: "softmax", inputShape: [4] })],
        }),
    ],
    [
      "a wrapped layer",
      () => l.timeDistributed({ name: "last", layer: l.dense({ units: 3, activation: "softmax" }) }),
    ],
  ])("logits leave out the softmax of %s", (name, last) => {
    const shape = name === "a wrapped layer" ? [2, 4] : [4];
    const m = model(l.dense({ units: 4, inputShape: shape }), last() as tf.layers.Layer);
    const graph = quantizedGraph(m);
    const x = tf.randomNormal([5, ...shape], 0, 1, "float32", 2);
    expect(graph.outputs[0]!.softmax).toBe(true);
    const logits = tf.tidy(
      () => graph.forward(graph.read(), x, { training: false, logits: true, quantize: keep }).outputs[0]!,
    );
    expectNear(data(tf.softmax(logits)), data(m.predict(x) as tf.Tensor), 1e-6);
    expect(data(tf.sum(logits, -1)).some((sum) => Math.abs(sum - 1) > 0.01)).toBe(true);
  });

  it("leaves outputs that are no softmax as they are", () => {
    const m = model(l.dense({ units: 2, activation: "sigmoid", inputShape: [3] }));
    const graph = quantizedGraph(m);
    const x = tf.ones([1, 3]);
    const y = tf.tidy(
      () => graph.forward(graph.read(), x, { training: false, logits: true, quantize: keep }).outputs[0]!,
    );
    expect(graph.outputs[0]!.softmax).toBe(false);
    expect(data(y)).toEqual(data(m.predict(x) as tf.Tensor));
  });

  it("refuses missing and misshapen variables and inputs by name", () => {
    const graph = quantizedGraph(model(l.dense({ name: "d", units: 2, inputShape: [3] })));
    const options = { training: false, quantize: keep };
    const values = graph.read();
    const x = tf.ones([1, 3]);
    expect(() => graph.forward({ "d/kernel": values["d/kernel"]! }, x, options)).toThrow(
      /"d\/bias", received none/,
    );
    expect(() => graph.forward({ ...values, "d/bias": tf.ones([5]) }, x, options)).toThrow(
      /\[2\].*received \[5\]/,
    );
    expect(() => graph.forward(values, [x, x], options)).toThrow(/Expected 1 input tensor/);
    expect(() => graph.write({ "d/bis": tf.ones([2]) })).toThrow(/"d\/bis"/);
    graph.write({ "d/bias": tf.tensor1d([3, 4]) });
    expect(data(graph.read()["d/bias"]!)).toEqual([3, 4]);
  });
});
