import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import type { Engine } from "../../sdk/engine/engine.js";
import { nativeEngine } from "../../sdk/engine/native/native.js";
import { onBackend } from "../../sdk/engine/on-backend.js";
import { referenceEngine } from "../../sdk/engine/reference.js";
import { quantizedGraph } from "../../sdk/graph/graph.js";
import { learning } from "../../sdk/learn/learn.js";
import { search } from "../../sdk/search/search.js";
import { schemes } from "../../sdk/staircase/schemes.js";
import { uncalibrated } from "../../sdk/train/calibrate.js";
import type { Phase, Stage } from "../../sdk/train/loop.js";
import { FLOATING, fixedPolicy } from "../../sdk/train/policy.js";
import { PLAIN } from "../../sdk/train/recipe.js";
import { type Snapshot, toHost } from "../../sdk/train/snapshot.js";
import { Stepper } from "../../sdk/train/stepper.js";

/*
 * The project's operations as expressions, the whole step compiled by XLA. XLA compiles for the processor as well, so that
 * the graphs of a GPU are held to the reference here. Vitest gives each file a process of its own.
 */
process.env.AUTOQNN_XLA = "1";

const BATCH = 4;
const engines = {} as Record<"xla" | "reference", Engine>;

beforeAll(async () => {
  engines.xla = await nativeEngine();
  engines.reference = await referenceEngine();
});

function network(): tf.LayersModel {
  const initializer = (seed: number) => tf.initializers.heNormal({ seed });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        inputShape: [8, 8, 3],
        filters: 6,
        kernelSize: 3,
        padding: "same",
        name: "first",
        kernelInitializer: initializer(1),
      }),
      tf.layers.batchNormalization({ name: "normal" }),
      tf.layers.activation({ activation: "relu", name: "relu" }),
      tf.layers.maxPooling2d({ poolSize: 2, name: "pool" }),
      tf.layers.conv2d({ filters: 4, kernelSize: 3, name: "second", kernelInitializer: initializer(2) }),
      tf.layers.flatten({ name: "flat" }),
      tf.layers.dense({
        units: 3,
        activation: "softmax",
        name: "classes",
        kernelInitializer: initializer(3),
      }),
    ],
  });
}

/** What stands at the nodes, and what is trained besides the weights. */
const POLICIES = ["floating", "clip", "eight schemes at 1 and 2 bits", "learned bits"] as const;

function stageOf(name: (typeof POLICIES)[number], engine: Engine, snapshot: Snapshot): Stage {
  const graph = quantizedGraph(network());
  const schedule = { peak: 1e-3, warmup: 1, floor: 1 };
  const updates = [
    { parameters: "weights", schedule },
    { parameters: "scale", schedule },
  ];
  const common = { name, engine, graph, snapshot, recipe: PLAIN, steps: 10, batchSize: BATCH, seed: 1 };
  const stage = (policy: Stage["policy"], own: Phase["updates"]): Stage => ({
    ...common,
    policy,
    phases: [{ updates: own, source: undefined as never }],
  });
  const ids = graph.nodes.map(({ id }) => id);
  if (name === "floating") return stage(FLOATING, updates.slice(0, 1));
  if (name === "clip") {
    return stage(
      fixedPolicy(Object.fromEntries(ids.map((id) => [id, { scheme: "clip", bits: 2 }]))),
      updates,
    );
  }
  if (name === "learned bits") {
    const { policy, update } = learning(
      graph,
      snapshot.signed,
      Object.fromEntries(ids.map((id) => [id, "zoom"])),
      { budget: { averageBits: 2 }, bits: [1, 4], start: 2.5, learningRate: 0.01, warmup: 1 },
    );
    return stage(policy, [...updates, update]);
  }
  const all = Object.keys(schemes) as (keyof typeof schemes)[];
  const { policy, update } = search(
    graph,
    snapshot.signed,
    {
      granularity: "layer",
      schemes: { weights: all, activations: all },
      bits: [1, 2],
      temperature: [1, 0.1],
    },
    { seed: 1, learningRate: 0.01, warmup: 1 },
  );
  return stage(policy, [...updates, update]);
}

/** The state after two steps on one batch, and both losses. */
async function trained(name: (typeof POLICIES)[number], engine: keyof typeof engines) {
  const backend = engine === "xla" ? "tensorflow" : "cpu";
  const graph = quantizedGraph(network());
  const bare = await uncalibrated(graph);
  const statistics = Object.fromEntries(
    graph.nodes.map(({ id }) => [id, Float32Array.of(1, 0.8, 1.2, 1, 1.4, -3, 3, 3, 0.5, 0.25, 0.12, 0.06)]),
  );
  const values = (count: number, seed: number) =>
    Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * 12.9898 * seed) * 1.7);
  await tf.setBackend(backend);
  const stepper = new Stepper(stageOf(name, engines[engine], { ...bare, statistics }));
  const losses: number[] = [];
  for (const t of [1, 2]) {
    const batch = onBackend(backend, () => ({
      x: tf.tensor4d(values(BATCH * 8 * 8 * 3, 1), [BATCH, 8, 8, 3]),
      y: tf.tensor1d([0, 1, 2, 1], "int32"),
    }));
    const { loss } = await stepper.run(0, t, batch);
    losses.push((await loss.data())[0]!);
  }
  const state = await toHost(stepper.read());
  stepper.dispose();
  return { losses, state };
}

test.each(POLICIES)("a step of %s compiled by XLA is that of the reference", async (name) => {
  const ours = await trained(name, "xla");
  const reference = await trained(name, "reference");
  for (const [t, loss] of reference.losses.entries()) expect(ours.losses[t]).toBeCloseTo(loss, 3);
  expect(Object.keys(ours.state).sort()).toEqual(Object.keys(reference.state).sort());
  for (const [key, { data }] of Object.entries(reference.state)) {
    // Adam's step of a gradient near 0 has the sign of rounding: the moments say more than the weights.
    if (!key.startsWith("m/")) continue;
    const expected = Array.from(data);
    const size = Math.max(1e-6, ...expected.map(Math.abs));
    const misses = expected.map((v, i) => Math.abs(v - ours.state[key]!.data[i]!));
    expect(misses.reduce((sum, miss) => sum + miss, 0) / misses.length / size, key).toBeLessThan(0.02);
  }
});
