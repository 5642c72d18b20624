import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../sdk/engine/engine.js";
import { nativeEngine } from "../../sdk/engine/native/native.js";
import { referenceEngine } from "../../sdk/engine/reference.js";
import { generate } from "../../sdk/generate/index.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { calibrate } from "../../sdk/train/calibrate.js";
import { divided } from "../../sdk/train/channels.js";
import { checkedSource } from "../../sdk/train/data.js";
import { evaluate } from "../../sdk/train/evaluate.js";
import { train } from "../../sdk/train/loop.js";
import { type Assignment, fixedPolicy } from "../../sdk/train/policy.js";
import { PLAIN } from "../../sdk/train/recipe.js";
import type { Snapshot } from "../../sdk/train/snapshot.js";
import { blobs, smallNetwork } from "../plan/blobs.js";

const names = ["native", "reference"] as const;
const engines = {} as Record<(typeof names)[number], Engine>;
beforeAll(async () => {
  engines.native = await nativeEngine();
  engines.reference = await referenceEngine();
});

const SCHEMES: Assignment = {
  "one/kernel": { scheme: "binary", bits: 1 },
  "two/kernel": { scheme: "clip", bits: 3 },
  "two/input": { scheme: "clip", bits: 4 },
  "classes/kernel": { scheme: "lsq", bits: 4 },
  "classes/input": { scheme: "zoom", bits: 4 },
};

const graphOf = (perChannel: boolean): QuantizedGraph => quantizedGraph(smallNetwork(), { perChannel });

/** A network in which one channel of every kernel is a hundred times the others. */
async function start(engine: Engine, graph: QuantizedGraph) {
  const source = await checkedSource("train", blobs(96, 1), { inputShape: [null, 6, 6, 1], classes: 3 });
  const values = graph.read();
  for (const name of ["one/kernel", "two/kernel"]) {
    const { shape } = values[name]!;
    const large = tf.oneHot(tf.tensor1d([1], "int32"), shape.at(-1)!);
    graph.write({ [name]: tf.mul(values[name]!, tf.add(tf.mul(large, 99), 1)) });
  }
  const snapshot = await calibrate(engine, graph, source, { batchSize: 32, batches: 3, seed: 1 });
  return { source, snapshot };
}

async function tuned(engine: Engine, graph: QuantizedGraph, steps = 6): Promise<Snapshot> {
  const { source, snapshot } = await start(engine, graph);
  const schedule = { peak: 0.01, warmup: 0, floor: 1 };
  const updates = ["weights", "scale"].map((parameters) => ({ parameters, schedule }));
  const stage = {
    ...{ name: "tune", graph, engine, snapshot, policy: fixedPolicy(SCHEMES), recipe: PLAIN },
    ...{ phases: [{ updates, source }], steps, batchSize: 32, seed: 1 },
  };
  return (await train(stage)).snapshot;
}

describe.each(names)("on the %s engine", (name) => {
  test("the artifact computes what the stage trained: the same loss", async () => {
    const engine = engines[name];
    const graph = graphOf(true);
    const { source } = await start(engine, graph);
    const snapshot = await tuned(engine, graph);
    const policy = fixedPolicy(SCHEMES);
    const trained = await evaluate({ engine, graph, snapshot, policy, source, batchSize: 32 });
    const packed = generate(graph, snapshot, SCHEMES, { library: "0", seed: 1, stages: [] });
    expect((await packed.evaluate(blobs(96, 1))).loss).toBeCloseTo(trained.loss, 4);
    // One scale per tensor is another quantizer, with another loss.
    const whole = graphOf(false);
    const coarse = await evaluate({ engine, graph: whole, snapshot, policy, source, batchSize: 32 });
    expect(Math.abs(coarse.loss - trained.loss)).toBeGreaterThan(1e-2);
  });

  test("the gradient reaches a weight straight through, its factor being a constant", async () => {
    const node = graphOf(true).nodes.find(({ id }) => id === "two/kernel")!;
    const x = tf.tensor2d([1, 200, -2, 50], [2, 2]);
    const step = engines[name].compile("gradient", ({ w, dy }) => {
      const f = (x: tf.Tensor): tf.Tensor => {
        const { values, restore } = divided(node, x);
        return restore(values);
      };
      return { dx: tf.grad(f)(w!, dy) };
    });
    const dy = tf.tensor2d([0.1, 0.2, 0.3, 0.4], [2, 2]);
    const { dx } = await step.run({ w: x, dy });
    expect(tf.max(tf.abs(tf.sub(dx!, dy))).dataSync()[0]).toBeLessThan(1e-6);
    step.dispose();
  });
});

test("both engines train the same network", async () => {
  const [native, reference] = [
    await tuned(engines.native, graphOf(true), 3),
    await tuned(engines.reference, graphOf(true), 3),
  ];
  for (const [name, { data }] of Object.entries(native.variables)) {
    const other = reference.variables[name]!.data;
    const largest = Math.max(...data.map(Math.abs), 1);
    for (const [i, value] of data.entries()) expect(Math.abs(value - other[i]!)).toBeLessThan(2e-2 * largest);
  }
});
