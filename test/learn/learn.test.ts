import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import type { TensorMap } from "../../sdk/engine/engine.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { learning } from "../../sdk/learn/learn.js";
import { smallNetwork } from "../plan/blobs.js";

beforeAll(() => tf.setBackend("cpu"));

function setUp(pin = {}) {
  const graph = quantizedGraph(smallNetwork(), { pin });
  const signed = Object.fromEntries(graph.nodes.map((node) => [node.id, node.kind === "weight"]));
  const schemes = Object.fromEntries(graph.nodes.map((node) => [node.id, "clip" as const]));
  const found = learning(graph, signed, schemes, {
    budget: { averageBits: 2 },
    bits: [1, 4],
    start: 3,
    learningRate: 0.01,
    warmup: 1,
  });
  const at = (bits: number) => ({ bits: tf.fill([graph.nodes.length], bits) }) as TensorMap;
  return { graph, found, at };
}

describe("a real bitwidth mixes its two neighbours", () => {
  const first = "one/kernel";
  const cases: [number, number[], number[]][] = [
    [2.25, [0, 0.75, 0.25, 0], [0, 1, 1, 0]],
    [3, [0, 0, 1, 0], [0, 0, 1, 1]],
    [4, [0, 0, 0, 1], [0, 0, 1, 1]],
    [1, [1, 0, 0, 0], [1, 1, 0, 0]],
  ];
  test.each(cases)("at b = %d", (bits, p, active) => {
    const { found, at } = setUp();
    const mix = found.policy.mix(at(bits), {})[first]!;
    expect([...mix.p.dataSync()]).toEqual(p);
    expect([...mix.active!.dataSync()]).toEqual(active);
  });
});

test("the gradient of b is that of the step between its neighbours, also at whole numbers and at the ends", () => {
  const { found, at } = setUp();
  const values = tf.tensor1d([1, 10, 100, 1000]);
  for (const [bits, slope] of [
    [2.5, 90],
    [3, 900],
    [4, 900],
    [1, 9],
  ] as const) {
    const gradient = tf.grad((b) =>
      tf.sum(tf.mul(found.policy.mix({ bits: b } as TensorMap, {})["one/kernel"]!.p, values)),
    );
    expect(gradient(at(bits).bits!).dataSync()[0]).toBeCloseTo(slope);
  }
});

test("the precision loss is zero within the budget, and pulls down above it", () => {
  const { found, at } = setUp();
  expect(found.policy.penalty!(at(1.9)).dataSync()[0]).toBe(0);
  // Weights and activations are each 3 / 2 - 1 over: 5 (1/2)^2, twice.
  expect(found.policy.penalty!(at(3)).dataSync()[0]).toBeCloseTo(2.5, 5);
  const pull = tf
    .grad((b) => found.policy.penalty!({ bits: b } as TensorMap))(at(3).bits!)
    .dataSync();
  for (const value of pull) expect(value).toBeGreaterThan(0);
});

test("bitwidths stay within their limits, a pinned one where it is", () => {
  const { graph, found } = setUp({ "classes/kernel": { bits: 4 } });
  const index = graph.nodes.findIndex((node) => node.id === "classes/kernel");
  const projected = found.policy.project!("bits", tf.fill([graph.nodes.length], 0.2)).dataSync();
  expect(projected[index]).toBe(4);
  expect(projected[0]).toBe(1);
  expect(found.choices["classes/kernel"]).toEqual([4]);
});
