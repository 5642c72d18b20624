import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { rows } from "../../sdk/graph/budget.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { memory } from "../../sdk/graph/memory.js";

beforeAll(() => tf.setBackend("cpu"));

const l = tf.layers;
type Symbolic = tf.SymbolicTensor;

const chain = (count: number, step: (x: Symbolic, i: number) => Symbolic): tf.LayersModel => {
  const input = tf.input({ shape: [2, 2, 2] });
  let x = input;
  for (let i = 0; i < count; i++) x = step(x, i);
  return tf.model({ inputs: input, outputs: x });
};
const conv = (x: Symbolic): Symbolic =>
  l.conv2d({ filters: 2, kernelSize: 1, useBias: false }).apply(x) as Symbolic;

/** Models of a thousand layers, each in another way large. */
const LARGE: readonly [string, () => tf.LayersModel][] = [
  [
    "a Sequential of 1,000 layers",
    () =>
      tf.sequential({ layers: Array.from({ length: 1000 }, () => l.dense({ units: 2, inputShape: [2] })) }),
  ],
  [
    "1,000 layers with skips",
    () => {
      const before: Symbolic[] = [];
      return chain(500, (x, i) => {
        before.push(x);
        return l.add().apply([conv(x), before[Math.max(0, i - 5)]!]) as Symbolic;
      });
    },
  ],
  [
    "1,000 layers, each followed by batch norm and activation",
    () => chain(1000, (x) => l.reLU().apply(l.batchNormalization().apply(conv(x))) as Symbolic),
  ],
  [
    "1,000 layers, each reading fifty before it",
    () => {
      const before: Symbolic[] = [];
      return chain(500, (x) => {
        before.push(x);
        return conv((before.length > 1 ? l.add().apply(before.slice(-50)) : x) as Symbolic);
      });
    },
  ],
];

describe("large models", () => {
  // What is asked for is 2 s; a machine under load gets three times that.
  it.each(LARGE)("%s convert, and are reported and counted, within seconds", (_, make) => {
    const model = make();
    const started = performance.now();
    const graph = quantizedGraph(model);
    const text = String(graph.table());
    const converted = performance.now() - started;
    expect(converted).toBeLessThan(6000);
    expect(graph.nodes.length).toBeGreaterThan(900);
    expect(text).toContain("parameters");
    expect(memory(graph, {}).peak).toBeGreaterThan(0);
    expect(rows({ memory: "4x", averageBits: 2, modelSize: "8x" }, graph).length).toBeGreaterThan(1);
    expect(performance.now() - started - converted).toBeLessThan(6000);
  });
});
