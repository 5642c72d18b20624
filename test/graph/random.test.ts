import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, it } from "vitest";
import { rows } from "../../sdk/graph/budget.js";
import { bitOperations, costAt, modelSize } from "../../sdk/graph/costs.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { memory, memoryCosts } from "../../sdk/graph/memory.js";
import { stream } from "../../sdk/train/random.js";
import { interpret } from "./interpreter.js";
import { randomModel } from "./randomModels.js";

beforeAll(() => tf.setBackend("cpu"));

const SEEDS = Array.from({ length: 150 }, (_, seed) => seed);

/** A graph of a random model with random options, some of its nodes at random bits. */
function drawn(seed: number) {
  const draw = stream(seed, "bits");
  const model = randomModel(seed);
  const quantizeInput = draw() < 0.5;
  const graph = quantizedGraph(model, { quantizeInput, minimumRank: draw() < 0.5 ? 2 : 1 });
  const bits = Object.fromEntries(graph.nodes.map(({ id }) => [id, 1 + Math.floor(draw() * 8)]));
  const assigned = Object.fromEntries(
    Object.entries(bits).map(([id, n]) => [id, { scheme: "clip", bits: n }]),
  );
  return { model, graph, bits, assigned };
}

describe("costs of random models are those that a naive interpreter counts", () => {
  it.each(SEEDS)("model %i", (seed) => {
    const { model, graph, bits, assigned } = drawn(seed);
    const counted = interpret(model, (id) => bits[id]);
    const { nodes, leftAlone } = modelSize(graph, assigned);
    expect(nodes + leftAlone).toBe(counted.weights);
    expect(bitOperations(graph, assigned)).toBe(counted.operations);
    expect(memory(graph, assigned)).toEqual({
      peak: counted.weights + counted.peak,
      sum: counted.weights + counted.sum,
    });
    const { totals } = graph.table(assigned);
    expect(totals.assigned).toEqual({
      bitOperations: counted.operations,
      modelBytes: Math.ceil(counted.weights / 8),
      activationBytes: { peak: Math.ceil(counted.peak / 8), sum: Math.ceil(counted.sum / 8) },
      memoryBytes: {
        peak: Math.ceil((counted.weights + counted.peak) / 8),
        sum: Math.ceil((counted.weights + counted.sum) / 8),
      },
    });
    expect(totals.parameters.all).toBe(model.countParams());
  });
});

describe("the inequalities of a memory budget", () => {
  it.each(SEEDS.slice(0, 40))("are as many as can be the largest, and no more: model %i", (seed) => {
    const { graph, bits, assigned } = drawn(seed);
    const costs = memoryCosts(graph);
    expect(Math.max(...costs.map((cost) => costAt(cost, bits)))).toBe(memory(graph, assigned).peak);
    // None is below another whatever the bits are.
    for (const one of costs)
      for (const other of costs) {
        if (one === other) continue;
        const known = new Map(other.terms.map(({ node, coefficient }) => [node, coefficient]));
        const below =
          one.constant <= other.constant &&
          one.terms.every(({ node, coefficient }) => coefficient <= (known.get(node) ?? 0));
        expect(below, `${one.name} and ${other.name}`).toBe(false);
      }
    if (graph.nodes.length > 0) expect(rows({ memory: "1x" }, graph).length).toBe(costs.length);
  });
});
