import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { nested, residual } from "./models.js";

beforeAll(() => tf.setBackend("cpu"));

const l = tf.layers;

describe("the report of a graph", () => {
  it("has a row for every weight and every input, with what is known of it", () => {
    const graph = quantizedGraph(nested());
    const table = graph.table();
    expect(table.length).toBe(graph.nodes.length + graph.leftAlone.length);
    expect(table.find(({ id }) => id === "inner/first/kernel")).toEqual({
      id: "inner/first/kernel",
      kind: "weight",
      layer: "inner/first",
      className: "Conv2D",
      shape: [3, 3, 4, 4],
      elements: 144,
      consumers: 2,
      macs: 18432,
    });
    const input = table.find(({ id }) => id === "stem/input");
    expect(input).toMatchObject({ reason: "model input: already 8-bit data", macs: 64 * 9 * 3 * 4 });
  });

  it("sums parameters as Keras does, and operations over all calls", () => {
    const model = residual();
    const { totals, classes } = quantizedGraph(model).table();
    expect(totals.parameters.all).toBe(model.countParams());
    const trainable = model.trainableWeights.map(({ shape }) =>
      (shape as number[]).reduce((a, b) => a * b, 1),
    );
    expect(totals.parameters.trainable).toBe(trainable.reduce((a, b) => a + b));
    const kernels = 9 * (3 * 4 + 4 * 4 + 4 * 4 + 4 * 6 + 6 * 6 + 4 * 6);
    expect(totals.parameters.inNodes).toBe(kernels + 6 * 5);
    expect(totals.macs).toBe(64 * kernels + 6 * 5);
    expect(classes.reduce((sum, { parameters }) => sum + parameters, 0)).toBe(totals.parameters.all);
    expect(classes.reduce((sum, { inNodes }) => sum + inNodes, 0)).toBe(totals.parameters.inNodes);
    expect(classes.reduce((sum, { macs }) => sum + macs, 0)).toBe(totals.macs);
    expect(classes.reduce((sum, { layers }) => sum + layers, 0)).toBe(model.layers.length - 1);
    expect(totals.floating.modelBytes).toBe(4 * totals.parameters.all);
  });

  it("counts at the bits assigned: all in 4 bits take an eighth of what the nodes take", () => {
    const graph = quantizedGraph(residual(), { quantizeInput: true });
    const assigned = Object.fromEntries(graph.nodes.map(({ id }) => [id, { scheme: "clip", bits: 4 }]));
    const table = graph.table(assigned);
    const { floating, assigned: costs, parameters } = table.totals;
    expect(costs!.bitOperations).toBe(floating.bitOperations / 64);
    expect(costs!.modelBytes).toBe(parameters.inNodes / 2 + 4 * (parameters.all - parameters.inNodes));
    expect(costs!.activationBytes.sum).toBeLessThan(floating.activationBytes.sum);
    expect(costs!.memoryBytes.peak).toBe(costs!.modelBytes + costs!.activationBytes.peak);
    expect(table[0]).toMatchObject({ scheme: "clip", bits: 4 });
    expect(String(table)).toMatch(/^b1\/kernel .* clip +4$/m);
  });

  it("says with which size it counts what a model leaves open", () => {
    const inputs = tf.input({ shape: [null as unknown as number, 4, 2] });
    const half = tf.layers.conv2d({ filters: 3, kernelSize: 2, strides: 2 }).apply(inputs);
    const outputs = tf.layers.conv2d({ filters: 7, kernelSize: [3, 1] }).apply(half);
    const model = tf.model({ inputs, outputs: outputs as tf.SymbolicTensor });
    const table = quantizedGraph(model, { openDimension: 10 }).table();
    const macs = 5 * 2 * (2 * 2 * 2 * 3) + 3 * 2 * (3 * 3 * 7);
    expect(table.totals).toMatchObject({ openDimension: 10, macs });
    expect(String(table)).toMatch(/^total, with open dimensions of 10 /m);
    expect(() => quantizedGraph(model, { openDimension: 2 })).toThrow(/openDimension .* received 2/);
    expect(quantizedGraph(residual()).table().totals).not.toHaveProperty("openDimension");
  });

  it("counts a variable once that two layers read, and both layers' operations with it", () => {
    const first = l.dense({ name: "first", units: 4, useBias: false });
    const second = l.dense({ name: "second", units: 4, useBias: false });
    const input = tf.input({ shape: [3, 4] });
    const hidden = first.apply(input) as tf.SymbolicTensor;
    const output = second.apply(hidden) as tf.SymbolicTensor;
    Object.assign(second, { kernel: first.weights[0], _trainableWeights: first.weights });
    const graph = quantizedGraph(tf.model({ inputs: input, outputs: output }));
    expect(graph.nodes.map(({ id, consumers, macs }) => [id, consumers, macs])).toEqual([
      ["first/kernel", 2, 2 * 3 * 16],
      ["second/input", 1, 3 * 16],
    ]);
    expect(graph.table().totals).toMatchObject({ parameters: { all: 16 }, macs: 2 * 3 * 16 });
  });

  it("reads well in a terminal of 100 columns, however long names and reasons are", () => {
    const model = tf.sequential({
      layers: [
        l.dense({ name: "a_layer_with_a_name_of_some_length", units: 3, inputShape: [4] }),
        ...Array.from({ length: 3 }, (_, i) => l.dense({ name: `another_of_these_layers_${i}`, units: 3 })),
      ],
    });
    const exclude = ["another_of_these_layers_*"];
    const text = String(quantizedGraph(model, { exclude, openDimension: 2 }).table());
    const lines = text.split("\n");
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    const [nodes, reasons, classes, totals] = text.split("\n\n").map((part) => part.split("\n"));
    expect(nodes![0]).toMatch(/^node +shape +elements +calls +MACs$/);
    expect(nodes![2]).toMatch(/^a_layer_with_a_name_of_some_length\/kernel +4×3 +12 +1 +12$/);
    expect(reasons!.join("\n")).toMatch(/^rank 1: bias +4 +12 +a_layer_with_a_name/m);
    expect(classes![2]).toMatch(/^Dense +4 +51 +12 +39 +100\.00$/);
    expect(totals!.some((line) => /^parameters +51$/.test(line))).toBe(true);
    for (const part of [nodes!, reasons!, classes!, totals!]) {
      const rule = part[1]!;
      expect(rule).toMatch(/^[- ]+$/);
      const gaps = [...rule].flatMap((character, i) => (character === " " ? [i] : []));
      for (const line of [part[0]!, ...part.slice(2)])
        for (const i of gaps) expect([" ", undefined]).toContain(line[i]);
    }
  });

  it("is plain values as JSON, and tables as HTML", () => {
    const table = quantizedGraph(residual(), { pin: { "predictions/*": { bits: 8 } } }).table();
    const json = JSON.parse(JSON.stringify(table));
    expect(Object.keys(json)).toEqual(["nodes", "leftAlone", "classes", "totals"]);
    expect([...json.nodes, ...json.leftAlone]).toEqual([...table]);
    expect(json.totals).toEqual(table.totals);
    expect(table.toHtml().match(/<table>/g)?.length).toBe(4);
    expect(table.toHtml()).toContain("<td>b1/kernel</td>");
  });
});
