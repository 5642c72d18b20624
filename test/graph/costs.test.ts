import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { averageBits, bitOperations, modelSize } from "../../sdk/graph/costs.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { memory } from "../../sdk/graph/memory.js";
import { nested, residual } from "./models.js";

beforeAll(() => tf.setBackend("cpu"));

const l = tf.layers;
const macsOf = (layer: tf.layers.Layer, shape: number[]): number => {
  const input = tf.input({ shape });
  const graph = quantizedGraph(tf.model({ inputs: input, outputs: layer.apply(input) as tf.SymbolicTensor }));
  return graph.nodes.filter(({ kind }) => kind === "weight").reduce((sum, { macs }) => sum + macs, 0);
};

/** Bits that differ from node to node. */
const some = (graph: QuantizedGraph) =>
  Object.fromEntries(graph.nodes.map(({ id }, i) => [id, { scheme: "clip", bits: 1 + (i % 4) }]));

describe("multiply-accumulates", () => {
  it.each([
    ["Dense on two leading dimensions", l.dense({ units: 5 }), [4, 3, 7], 4 * 3 * 7 * 5],
    ["Conv1D", l.conv1d({ filters: 6, kernelSize: 3 }), [10, 4], 8 * 3 * 4 * 6],
    [
      "Conv2D",
      l.conv2d({ filters: 6, kernelSize: 3, strides: 2, padding: "same" }),
      [9, 9, 4],
      25 * 9 * 4 * 6,
    ],
    ["Conv3D", l.conv3d({ filters: 6, kernelSize: 2 }), [3, 4, 5, 2], 2 * 3 * 4 * 8 * 2 * 6],
    [
      "Conv2DTranspose",
      l.conv2dTranspose({ filters: 6, kernelSize: 3, strides: 2 }),
      [4, 4, 5],
      16 * 9 * 5 * 6,
    ],
    ["Conv3DTranspose", l.conv3dTranspose({ filters: 6, kernelSize: 2 }), [2, 3, 4, 5], 24 * 8 * 5 * 6],
    ["DepthwiseConv2D", l.depthwiseConv2d({ kernelSize: 3, depthMultiplier: 2 }), [6, 6, 5], 16 * 9 * 5 * 2],
    [
      "SeparableConv2D",
      l.separableConv2d({ filters: 7, kernelSize: 3, depthMultiplier: 2 }),
      [6, 6, 5],
      16 * (9 * 10 + 10 * 7),
    ],
    ["SimpleRNN", l.simpleRNN({ units: 5 }), [4, 3], 4 * (3 + 5) * 5],
    ["GRU", l.gru({ units: 5 }), [4, 3], 4 * (3 + 5) * 5 * 3],
    ["LSTM", l.lstm({ units: 5 }), [4, 3], 4 * (3 + 5) * 5 * 4],
    [
      "stacked cells",
      l.rnn({ cell: [l.gruCell({ units: 5 }), l.lstmCell({ units: 2 })] as never }),
      [4, 3],
      4 * (8 * 15 + 7 * 8),
    ],
    [
      "Bidirectional",
      l.bidirectional({ layer: l.lstm({ units: 5 }) as tf.RNN, mergeMode: "concat" }),
      [4, 3],
      2 * 4 * 8 * 20,
    ],
    [
      "TimeDistributed",
      l.timeDistributed({ layer: l.conv2d({ filters: 6, kernelSize: 3 }) }),
      [4, 5, 5, 2],
      4 * 9 * 9 * 2 * 6,
    ],
    [
      "ConvLSTM2D",
      l.convLstm2d({ filters: 5, kernelSize: 3 } as never),
      [4, 6, 6, 2],
      4 * 16 * 9 * (2 + 5) * 20,
    ],
    ["Embedding looks up", l.embedding({ inputDim: 10, outputDim: 4 }), [6], 0],
  ])("%s", (_, layer, shape, expected) => {
    expect(macsOf(layer as tf.layers.Layer, shape as number[])).toBe(expected);
  });

  it("counts a shared layer once per call, and its weight for all of them", () => {
    const graph = quantizedGraph(nested());
    const [kernel, first, second] = ["inner/first/kernel", "inner/first/input", "inner/first/input:1"].map(
      (id) => graph.nodes.find((node) => node.id === id)!,
    );
    expect(first!.macs).toBe(64 * 9 * 4 * 4);
    expect(second!.macs).toBe(first!.macs);
    expect(kernel).toMatchObject({ macs: 2 * first!.macs, consumers: 2 });
  });
});

describe("costs of a residual network, computed a second time by hand", () => {
  const make = (quantizeInput: boolean) => {
    const graph = quantizedGraph(residual(), { quantizeInput });
    const assigned = some(graph);
    return { graph, assigned, b: (id: string) => assigned[id]?.bits ?? Number.NaN };
  };
  const kernels = {
    stem: 9 * 3 * 4,
    a1: 9 * 4 * 4,
    a2: 9 * 4 * 4,
    b1: 9 * 4 * 6,
    b2: 9 * 6 * 6,
    project: 9 * 4 * 6,
    predictions: 6 * 5,
  };
  const names = Object.keys(kernels) as (keyof typeof kernels)[];

  it("model size and average bits", () => {
    const { graph, assigned, b } = make(false);
    const bits = names.reduce((sum, name) => sum + kernels[name] * b(`${name}/kernel`), 0);
    const elements = Object.values(kernels).reduce((x, y) => x + y);
    // Four vectors per batch norm and the bias.
    const leftAlone = 32 * (4 * (4 + 4 + 4 + 6 + 6) + 5);
    expect(modelSize(graph, assigned)).toEqual({ nodes: bits, leftAlone });
    const inputs = { a1: 256, a2: 256, b1: 256, b2: 384, project: 256, predictions: 6 };
    const sum = Object.entries(inputs).reduce((x, [name, n]) => x + n * b(`${name}/input`), 0);
    const count = Object.values(inputs).reduce((x, y) => x + y);
    const average = averageBits(graph, assigned);
    expect(average.weights).toBeCloseTo(bits / elements, 12);
    expect(average.activations).toBeCloseTo(sum / count, 12);
  });

  it("bit operations", () => {
    for (const quantizeInput of [false, true]) {
      const { graph, assigned, b } = make(quantizeInput);
      const positions = (name: string): number => (name === "predictions" ? 1 : 64);
      const expected = names.reduce((sum, name) => {
        const inputBits = name === "stem" && !quantizeInput ? 8 : b(`${name}/input`);
        return sum + positions(name) * kernels[name] * b(`${name}/kernel`) * inputBits;
      }, 0);
      expect(bitOperations(graph, assigned)).toBe(expected);
    }
  });

  it("memory", () => {
    const { graph, assigned, b } = make(false);
    const weights = modelSize(graph, assigned).nodes + modelSize(graph, assigned).leftAlone;
    const code = (name: string): number => (name === "b2" ? 384 : 256) * b(`${name}/input`);
    // During each convolution and addition: what is read, what is made, and what later layers wait for.
    const points = {
      stem: 192 * 8 + code("a1") + 256 * 32,
      a1: code("a1") + 256 * 32 + code("a2"),
      a2: code("a2") + 256 * 32 + 256 * 32,
      add1: 256 * 32 + 256 * 32 + code("project") + code("b1"),
      project: code("project") + code("b1") + 384 * 32,
      b1: code("b1") + 384 * 32 + code("b2"),
      b2: code("b2") + 384 * 32 + 384 * 32,
      add2: 3 * 384 * 32,
    };
    const sum =
      192 * 8 +
      code("a1") +
      code("a2") +
      code("b1") +
      code("b2") +
      code("project") +
      6 * b("predictions/input") +
      32 * (256 * 2 + 384 * 3 + 5);
    expect(memory(graph, assigned)).toEqual({
      peak: weights + Math.max(...Object.values(points)),
      sum: weights + sum,
    });
  });
});
