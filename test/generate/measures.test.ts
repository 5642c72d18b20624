import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { generate, type QuantizedModel } from "../../sdk/generate/index.js";
import type { QuantizedGraph } from "../../sdk/graph/graph.js";
import { small } from "./both.js";
import { assignmentOf, functional, graphOf, nested, PROVENANCE, snapshotOf } from "./models.js";

const EXAMPLES = 40;
let [graph, quantized] = [] as unknown as [QuantizedGraph, QuantizedModel];
let batches: { x: tf.Tensor; y: tf.Tensor }[] = [];

beforeAll(async () => {
  await engine();
  graph = graphOf(functional());
  const snapshot = await snapshotOf(graph);
  quantized = generate(graph, snapshot, assignmentOf(graph), PROVENANCE);
  const x = tf.randomNormal([EXAMPLES, 6, 6, 2], 0, 1, "float32", 3);
  const y = tf.randomUniform([EXAMPLES], 0, 3, "int32", 5);
  batches = [0, 1].map((i) => ({ x: x.slice(20 * i, 20), y: y.slice(20 * i, 20) }));
});

describe("confusion", () => {
  it("counts every example where predict and its label put it", async () => {
    const { counts, classes } = await quantized.confusion(batches, { classNames: ["a", "b", "c"] });
    const expected = [0, 1, 2].map(() => [0, 0, 0]);
    for (const { x, y } of batches) {
      const predicted = tf.argMax(quantized.predict(x), 1).dataSync();
      y.dataSync().forEach((label, i) => {
        expected[label]![predicted[i]!]! += 1;
      });
    }
    expect(counts).toEqual(expected);
    expect(classes).toEqual(["a", "b", "c"]);
    const { accuracy, count } = await quantized.evaluate(batches);
    expect(counts.reduce((sum, row, i) => sum + row[i]!, 0) / count).toBeCloseTo(accuracy, 6);
  });

  it("takes probabilities as labels, and numbers classes without a name", async () => {
    const soft = batches.map(({ x, y }) => ({ x, y: tf.oneHot(y as tf.Tensor1D, 3).toFloat() }));
    const [hard, same] = [await quantized.confusion(batches), await quantized.confusion(soft)];
    expect(same).toEqual(hard);
    expect(hard.classes).toEqual(["0", "1", "2"]);
  });

  it("refuses another number of names", async () => {
    await expect(quantized.confusion(batches, { classNames: ["a"] })).rejects.toThrow(/3 names/);
  });
});

describe("errors", () => {
  it("gives the rounding of each quantizer and what has come of those before it", async () => {
    const onlyInputs = Object.fromEntries(
      Object.entries(assignmentOf(graph)).filter(([id]) => id.endsWith("/input")),
    );
    const inputs = generate(graph, await snapshotOf(graph), onlyInputs, PROVENANCE);
    const rows = await inputs.errors(graph.model, batches);
    expect(rows.map(({ node }) => node)).toEqual(["conv2/input", "predictions/input", "output"]);
    const [first, second, output] = rows;

    // Nothing is quantized before the first node: what it receives is what layer "relu" gives in floating point.
    const before = tf.model({
      inputs: graph.model.inputs,
      outputs: graph.model.getLayer("relu").output as tf.SymbolicTensor,
    });
    const values = batches.flatMap(({ x }) => [...(before.predict(x) as tf.Tensor).dataSync()]);
    const { staircase } = inputs.nodes.find(({ id }) => id === "conv2/input")!;
    const rounded = staircase.apply(values);
    const norm = (list: readonly number[]): number => Math.hypot(...list);
    expect(first!.arriving).toBeLessThan(1e-5);
    expect(first!.rounding).toBeCloseTo(norm(values.map((v, i) => v - rounded[i]!)) / norm(values), 4);
    expect(second!.arriving).toBeGreaterThan(0.001);
    expect(output!.arriving).toBeGreaterThan(0.001);
    expect("rounding" in output!).toBe(false);
  });

  it("looks at no more examples than asked for", async () => {
    const whole = await quantized.errors(graph.model, batches);
    const first = await quantized.errors(graph.model, batches, { examples: 20 });
    const alone = await quantized.errors(graph.model, batches.slice(0, 1));
    first.forEach(({ arriving }, i) => void expect(arriving).toBeCloseTo(alone[i]!.arriving, 5));
    expect(whole).not.toEqual(first);
  });

  it("is the same whether batch normalizations are kept or folded", async () => {
    const { kept, folded, graph: own } = await small();
    const [a, b] = [await kept.errors(own.model, batches), await folded.errors(own.model, batches)];
    expect(b.map(({ node }) => node)).toEqual(a.map(({ node }) => node));
    // A rounding may fall the other way where a value lies on a threshold.
    b.forEach(({ arriving }, i) => void expect(arriving).toBeCloseTo(a[i]!.arriving, 2));
  });

  it("is that of the output alone where no input was calibrated", async () => {
    const onlyWeights = Object.fromEntries(
      Object.entries(assignmentOf(graph)).filter(([id]) => !id.endsWith("/input")),
    );
    const weights = generate(graph, await snapshotOf(graph), onlyWeights, PROVENANCE);
    const [output, ...others] = await weights.errors(graph.model, batches);
    expect([output!.node, others]).toEqual(["output", []]);
    expect(output!.arriving).toBeGreaterThan(0.001);
  });

  it("refuses a network of other layers", async () => {
    await expect(quantized.errors(nested(), batches)).rejects.toThrow(/without "conv2\/input"/);
  });
});

describe("a signal that has fired", () => {
  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ["evaluate", (signal) => quantized.evaluate(batches, { signal })],
    ["confusion", (signal) => quantized.confusion(batches, { signal })],
    ["errors", (signal) => quantized.errors(graph.model, batches, { signal })],
  ])("keeps %s from beginning", async (_, work) => {
    await expect(work(AbortSignal.abort())).rejects.toMatchObject({
      code: "aborted",
      message: expect.stringMatching(/^Reading examples was stopped after 0 batches\./),
    });
  });
});
