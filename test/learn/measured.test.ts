import { expect, test } from "vitest";
import { allocate } from "../../sdk/graph/allocate.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { measuredAim } from "../../sdk/learn/measured.js";
import type { Sensitivity } from "../../sdk/train/sensitivity.js";
import { smallNetwork } from "../plan/blobs.js";

const graph = quantizedGraph(smallNetwork());
const [first, second, third] = graph.nodes.filter(({ kind }) => kind === "weight").map(({ id }) => id);
const choices = Object.fromEntries(graph.nodes.map(({ id }) => [id, [1, 2, 3, 4]]));
const elements = Object.fromEntries(graph.nodes.map((node) => [node.id, node.elements]));

/** A table measured at two bits everywhere. */
const table = (losses: Readonly<Record<string, readonly [up: number, down: number]>>): Sensitivity => ({
  rows: graph.nodes.map(({ id, kind }) => {
    const [up, down] = losses[id] ?? [0, 1];
    const rest = {
      scheme: "clip" as const,
      bits: 2,
      up: { loss: up, error: 0 },
      down: { loss: down, error: 0 },
    };
    return { node: id, kind, ...rest };
  }),
  ...{ loss: 1, accuracy: 0.5, examples: 100, labels: "soft" },
});

const rounded = async (losses: Parameters<typeof table>[0]) =>
  (await allocate({ graph, ...measuredAim(table(losses), choices), budget: { averageBits: { weights: 2 } } }))
    .bits;

test("a bit goes from where it is missed least to where it is worth most, one step at a time and within the budget", async () => {
  const bits = await rounded({ [first!]: [-0.5, 1], [second!]: [-0.1, 0.01], [third!]: [-0.1, 1] });
  expect([bits[first!], bits[second!]]).toEqual([3, 1]);
  const used = [first!, second!, third!].reduce((sum, id) => sum + elements[id]! * bits[id]!, 0);
  expect(used).toBeLessThanOrEqual(2 * (elements[first!]! + elements[second!]! + elements[third!]!));
});

test("a bit that is worth less than it is missed elsewhere stays where it is", async () => {
  const bits = await rounded({ [first!]: [-0.05, 1], [second!]: [-0.1, 0.9], [third!]: [-0.1, 1] });
  expect([bits[first!], bits[second!], bits[third!]]).toEqual([2, 2, 2]);
});

test("what rises with the bits is taken for no change, so that the cost never does", () => {
  const { cost, choices: narrowed } = measuredAim(table({ [first!]: [0.3, -0.2] }), choices);
  expect(narrowed[first!]).toEqual([1, 2, 3]);
  expect([1, 2, 3].map((bits) => cost(first!, bits))).toEqual([0, 0, 0]);
  expect([1, 2, 3].map((bits) => cost(second!, bits))).toEqual([1, 0, 0]);
});
