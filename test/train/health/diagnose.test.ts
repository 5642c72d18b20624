import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../../sdk/engine/index.js";
import { quantizedGraph } from "../../../sdk/graph/graph.js";
import { autoqnn, type Finding, type Progress, pretrain } from "../../../sdk/index.js";
import { learning } from "../../../sdk/learn/learn.js";
import { calibrate } from "../../../sdk/train/calibrate.js";
import { train } from "../../../sdk/train/loop.js";
import { SGD } from "../../../sdk/train/optimizers.js";
import type { Policy } from "../../../sdk/train/policy.js";
import { PLAIN } from "../../../sdk/train/recipe.js";
import { openWorkbench, stageOf } from "../../../sdk/train/workbench.js";
import { blobData, smallNetwork } from "../../plan/blobs.js";

const data = blobData();
const quiet = { onProgress: () => {} };
const options = { data, seed: 5, batchSize: 32 };
const budget = { averageBits: 2 };
const roundings: ["gamma 1"] = ["gamma 1"];

let model: tf.LayersModel;

beforeAll(async () => {
  model = smallNetwork();
  await pretrain(model, data, { ...quiet, epochs: 12, batchSize: 32, learningRate: 0.01 });
});

/** Findings of a kind, by node. */
const nodesWith = (health: readonly Finding[], kind: Finding["kind"]): string[] =>
  health.filter((finding) => finding.kind === kind).map(({ node }) => node);

test("nothing is found in a healthy chain", async () => {
  const searched = await autoqnn(model, options)
    .searchSchemes({ ...quiet, steps: 100 })
    .run();
  const learned = await searched.learnPrecision({ ...quiet, steps: 100, budget }).run();
  const tuned = await learned.fineTune({ ...quiet, steps: 60 }).run();
  expect([...searched.health, ...learned.health, ...tuned.health]).toEqual([]);
});

describe("a fault that is planted is found", () => {
  test("stuck: bitwidths without a learning rate", async () => {
    const learningRate = { bits: 1e-12 };
    const { health, nodes } = await autoqnn(model, options)
      .learnPrecision({ ...quiet, steps: 24, budget, roundings, learningRate })
      .run();
    expect(nodesWith(health, "stuck")).toEqual(nodes);
    expect(health[0]).toMatchObject({
      since: 1,
      evidence: { "moved by": 0 },
      cause: "Its learning rate is too low.",
    });
  });

  test("stuck: a bitwidth that may not rise to what the loss asks for", async () => {
    const { health } = await autoqnn(model, options)
      .learnPrecision({
        ...quiet,
        steps: 120,
        budget: { averageBits: 3 },
        roundings,
        bits: [1, 3],
        start: 2.5,
        learningRate: { weights: 3e-3, bits: 0.05 },
      })
      .run();
    const stuck = health.filter(({ kind }) => kind === "stuck");
    expect(stuck.length).toBeGreaterThan(0);
    for (const { evidence } of stuck) expect(evidence.bits).toBe(3);
  });

  test.each([1, 3])(
    "dead and constant: nodes around an activation that never fires, updates of %s batches",
    async (accumulate) => {
      const broken = smallNetwork();
      const [gamma, beta, mean, variance] = broken.getLayer("one_bn").getWeights();
      broken.getLayer("one_bn").setWeights([gamma!, tf.fill(beta!.shape, -50), mean!, variance!]);
      const seen: Progress[] = [];
      const run = await autoqnn(broken, { ...options, recipe: { accumulate } })
        .learnPrecision({ steps: 30, budget, roundings, onProgress: (progress) => seen.push(progress) })
        .run();
      // Behind it nothing but zeros comes, so that no node has anything to learn from.
      expect(nodesWith(run.health, "dead")).toEqual(run.nodes);
      expect(nodesWith(run.health, "constant")).toContain("two/input");
      const found = run.health.find(({ node, kind }) => node === "two/input" && kind === "dead")!;
      expect(found.cause).toBe("Everything that reaches it is 0.");
      expect(found.evidence).toMatchObject({ "steps without gradient": 30, "greatest value": 0 });
      expect(String(run)).toMatch(/dead at two\/input since step 1/);
      // It is known long before the end.
      const early = seen.find(({ health }) => health && nodesWith(health, "constant").includes("two/input"));
      expect(early!.step).toBeLessThan(10);
    },
  );

  test("collapsing: a budget that outweighs the data", async () => {
    const { health } = await autoqnn(model, options)
      .learnPrecision({
        ...quiet,
        steps: 80,
        budget: { averageBits: 1 },
        roundings,
        learningRate: { bits: 0.1, weights: 1e-5 },
      })
      .run();
    const collapsing = health.filter(({ kind }) => kind === "collapsing");
    expect(collapsing.length).toBeGreaterThan(0);
    for (const { evidence } of collapsing)
      expect(evidence["loss now"]! - evidence["loss before"]!).toBeGreaterThan(0.05);
  });

  test("premature: a search that is decided before it has begun", async () => {
    const learningRate = { theta: 5 };
    const { health } = await autoqnn(model, options)
      .searchSchemes({ ...quiet, steps: 100, control: false, learningRate })
      .run();
    const found = health.filter(({ kind }) => kind === "premature");
    expect(found.length).toBeGreaterThan(0);
    for (const { since } of found) expect(since).toBeLessThanOrEqual(10);
  });

  test("oscillating: what pulls at bitwidths changes sides between two whole ones, and their steps are long", async () => {
    const graph = quantizedGraph(model);
    const bench = await openWorkbench(await engine(), graph, data, {
      ...{ seed: 5, batchSize: 32, recipe: PLAIN },
      ...{ progress: () => {} },
    });
    const snapshot = await calibrate(bench.engine, graph, bench.train, {
      batchSize: 32,
      batches: 2,
      seed: 5,
    });
    const schemes = Object.fromEntries(graph.nodes.map(({ id }) => [id, "clip" as const]));
    const { policy, update } = learning(graph, snapshot.signed, schemes, {
      ...{ budget, bits: [1, 8], start: 3, learningRate: 0.07, warmup: 1 },
    });
    const pulled: Policy = {
      ...policy,
      penalty: ({ bits }) => tf.mul(10, tf.sum(tf.abs(tf.sub(bits!, 2.5)))),
    };
    const updates = [{ ...update, optimizer: { ...SGD, momentum: 0 } }];
    const phases = [{ updates, source: bench.train }];
    const stage = stageOf(bench, "learn precision", snapshot, pulled, phases, 120);
    const { health } = await train({ ...stage, diagnosed: true });
    const oscillating = health.filter(({ kind }) => kind === "oscillating");
    expect(oscillating.length).toBeGreaterThan(0);
    for (const { evidence } of oscillating) expect(evidence.around).toBe(2.5);
  });

  test("drifting: pictures that grow brighter from batch to batch, and nothing that normalizes", async () => {
    const plain = tf.sequential({
      layers: [
        tf.layers.flatten({ inputShape: [6, 6, 1] }),
        tf.layers.dense({ name: "hidden", units: 12, activation: "relu" }),
        tf.layers.dense({ name: "classes", units: 3, activation: "softmax" }),
      ],
    });
    const brighter = [];
    for (let epoch = 0; epoch < 5; epoch++) {
      for await (const { x, y } of data.train.batches({ batchSize: 32 }))
        brighter.push({ x: tf.mul(x, 1.05 ** brighter.length), y });
    }
    const { health } = await autoqnn(plain, { data: { train: brighter }, seed: 5, pin: { "*": { bits: 4 } } })
      .fineTune({ ...quiet, steps: 60, learningRate: 1e-4 })
      .run();
    expect(nodesWith(health, "drifting")).toEqual(["classes/input"]);
  });
});
