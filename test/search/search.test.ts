import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { type SearchSpace, search } from "../../sdk/search/search.js";
import { type SchemeName, schemes } from "../../sdk/staircase/schemes.js";
import { toDevice } from "../../sdk/train/snapshot.js";
import { smallNetwork } from "../plan/blobs.js";

beforeAll(() => tf.setBackend("cpu"));

const EIGHT = Object.keys(schemes) as SchemeName[];

function setUp(space: Partial<SearchSpace> = {}) {
  const graph = quantizedGraph(smallNetwork());
  const signed = Object.fromEntries(graph.nodes.map((node) => [node.id, node.kind === "weight"]));
  const found = search(
    graph,
    signed,
    {
      granularity: "layer",
      schemes: { weights: EIGHT, activations: EIGHT },
      bits: [2],
      temperature: [2, 0.2],
      ...space,
    },
    { seed: 1, learningRate: 0.02, warmup: 1 },
  );
  return { graph, found };
}

test("weights choose among eight schemes, inputs that are never negative among the four range-aware ones", () => {
  const { found } = setUp();
  expect(found.candidates["one/kernel"]).toHaveLength(8);
  expect(found.candidates["one/kernel"]).toContainEqual({ scheme: "binary", bits: 1 });
  expect(found.candidates["two/input"]?.map(({ scheme }) => scheme).sort()).toEqual([
    "clip",
    "fixed",
    "pot",
    "zoom",
  ]);
});

test("p is a distribution over the node's own candidates, the sharper the lower the temperature", () => {
  const { found } = setUp();
  const theta = toDevice(found.policy.parameters);
  const p = (t: number): number[] => {
    const controls = toDevice(found.policy.controls!(t, 100));
    return [...found.policy.mix(theta, controls)["two/input"]!.p.dataSync()];
  };
  for (const t of [1, 100]) {
    expect(p(t)).toHaveLength(4);
    expect(p(t).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
  }
  const peak = (t: number): number => Math.max(...p(t));
  const mean = (from: number): number =>
    Array.from({ length: 20 }, (_, i) => peak(from + i)).reduce((a, b) => a + b) / 20;
  expect(mean(80)).toBeGreaterThan(mean(1));
});

test("noise is drawn anew each step, and is a function of the seed alone", () => {
  const draw = (t: number) => setUp().found.policy.controls!(t, 10).gumbel!.data;
  expect(draw(3)).toEqual(draw(3));
  expect(draw(3)).not.toEqual(draw(4));
});

test("the decision is the largest logit of every node", async () => {
  const { graph, found } = setUp();
  const [rows, width] = found.policy.parameters.theta!.shape as [number, number];
  const theta = new Float32Array(rows * width);
  const row = graph.nodes.findIndex((node) => node.id === "two/kernel");
  theta[row * width + EIGHT.indexOf("pot")] = 3;
  const assignment = await found.decide(theta);
  expect(assignment["two/kernel"]).toEqual({ scheme: "pot", bits: 2 });
});

test("by model, all weights share their logits", async () => {
  const { found } = setUp({ granularity: "model" });
  expect(found.policy.parameters.theta!.shape).toEqual([2, 8]);
  const theta = Float32Array.from({ length: 16 }, (_, i) => Number(i === EIGHT.indexOf("residual")));
  const assignment = await found.decide(theta);
  for (const id of ["one/kernel", "two/kernel", "classes/kernel"])
    expect(assignment[id]?.scheme).toBe("residual");
});

test("schemes that a node cannot take are refused with those that it can", () => {
  expect(() => setUp({ schemes: { weights: EIGHT, activations: ["ternary"] } })).toThrow(
    /clip, zoom, fixed or pot/,
  );
});
