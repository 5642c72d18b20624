import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { costAt, sizeCost } from "../../sdk/graph/costs.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { pretrain } from "../../sdk/pretrain.js";
import { calibrate } from "../../sdk/train/calibrate.js";
import { drawn } from "../../sdk/train/drawn.js";
import { type Assignment, fixedPolicy } from "../../sdk/train/policy.js";
import { shadowPrices } from "../../sdk/train/prices.js";
import type { Progress } from "../../sdk/train/progress.js";
import { PLAIN } from "../../sdk/train/recipe.js";
import { reestimate } from "../../sdk/train/reestimate.js";
import {
  measureSensitivity,
  type Sensitivity,
  type SensitivityRequest,
} from "../../sdk/train/sensitivity.js";
import type { Snapshot } from "../../sdk/train/snapshot.js";
import { openWorkbench, validate, type Workbench } from "../../sdk/train/workbench.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

const data = blobData();
let graph: QuantizedGraph;
let bench: Workbench;
let snapshot: Snapshot;
let assignment: Assignment;

const request: SensitivityRequest = { examples: 96, labels: "hard", bits: [1, -1], onProgress: () => {} };
const measure = (given: Partial<SensitivityRequest> = {}, at = assignment): Promise<Sensitivity> =>
  measureSensitivity(bench, snapshot, at, { ...request, ...given });

beforeAll(async () => {
  const model = smallNetwork();
  await pretrain(model, data, { epochs: 4, batchSize: 32, learningRate: 0.01, onProgress: () => {} });
  graph = quantizedGraph(model);
  bench = await openWorkbench(await engine(), graph, data, {
    progress: () => {},
    seed: 3,
    batchSize: 32,
    recipe: PLAIN,
  });
  snapshot = await calibrate(bench.engine, graph, bench.train, { batchSize: 32, batches: 4, seed: 3 });
  assignment = Object.fromEntries(graph.nodes.map(({ id }) => [id, { scheme: "clip" as const, bits: 2 }]));
});

/** Loss and accuracy of all held-out examples, batch normalization re-estimated from them. */
async function judged(at: Assignment) {
  const policy = fixedPolicy(at);
  const settings = { batchSize: 96, batches: 1, seed: 3 };
  const ready = await reestimate(bench.engine, graph, snapshot, policy, bench.held, settings);
  return validate(bench, ready, policy);
}

test("the loss is that of an evaluation with re-estimated batch normalization, before and after a change", async () => {
  const { rows, loss, accuracy, examples } = await measure();
  const base = await judged(assignment);
  expect(examples).toBe(96);
  expect(loss).toBeCloseTo(base.loss, 3);
  expect(accuracy).toBeCloseTo(base.accuracy, 6);
  for (const { node, up, down } of rows) {
    for (const [bits, change] of [
      [3, up],
      [1, down],
    ] as const) {
      const after = await judged({ ...assignment, [node]: { scheme: "clip", bits } });
      expect(change!.loss).toBeCloseTo(after.loss - base.loss, 3);
    }
  }
});

test("the error is that of the mean of paired differences, and falls with the number of examples", async () => {
  const whole = await measure();
  const part = await measure({ examples: 24 });
  const mean = (table: Sensitivity) =>
    table.rows.reduce((sum, { down }) => sum + down!.error / table.rows.length, 0);
  expect(part.examples).toBe(24);
  expect(mean(whole)).toBeGreaterThan(0);
  // Four times the examples: half the error, but for which examples they are.
  expect(mean(part) / mean(whole)).toBeGreaterThan(1.3);
  expect(mean(part) / mean(whole)).toBeLessThan(3);
});

test("soft labels are what the floating-point network says of the same examples", async () => {
  const soft = await drawn(bench, 70, "soft");
  const hard = await drawn(bench, 70, "hard");
  expect(soft.map(({ x }) => x!.shape[0])).toEqual([70]);
  expect(soft[0]!.x!.dataSync()).toEqual(hard[0]!.x!.dataSync());
  expect(hard[0]!.y!.dtype).toBe("int32");
  const said = (graph.model.predict(soft[0]!.x!) as tf.Tensor).dataSync();
  for (const [i, p] of soft[0]!.y!.dataSync().entries()) expect(p).toBeCloseTo(said[i]!, 5);
  tf.dispose([...soft, ...hard]);
});

test("the same seed gives the same table; ends of the range and changes not asked for are left out", async () => {
  expect(await measure()).toEqual(await measure());
  const ends = { ...assignment, [graph.nodes[0]!.id]: { scheme: "clip" as const, bits: 8 } };
  const { rows } = await measure({}, ends);
  expect(rows[0]).not.toHaveProperty("up");
  expect(rows[0]).toHaveProperty("down");
  for (const row of (await measure({ bits: [1] })).rows) expect(row).not.toHaveProperty("down");
});

test("a scheme is kept where it has the bitwidth: ternary, which has 2 bits alone, is measured as clip beside them", async () => {
  const id = graph.nodes.find(({ kind }) => kind === "weight")!.id;
  const { rows } = await measure({}, { ...assignment, [id]: { scheme: "ternary", bits: 2 } });
  const row = rows.find(({ node }) => node === id)!;
  expect(row.scheme).toBe("ternary");
  const after = await judged({ ...assignment, [id]: { scheme: "clip", bits: 3 } });
  const before = await judged({ ...assignment, [id]: { scheme: "ternary", bits: 2 } });
  expect(row.up!.loss).toBeCloseTo(after.loss - before.loss, 3);
});

test("it says how far it is, and stops when told to", async () => {
  const seen: Progress[] = [];
  await measure({ examples: 32, onProgress: (progress) => seen.push(progress) });
  expect(seen.map(({ step }) => step)).toEqual(
    Array.from({ length: 2 * graph.nodes.length + 1 }, (_, i) => i + 1),
  );
  expect(seen.at(-1)!.eta).toBe(0);
  const stop = new AbortController();
  const before = tf.memory().numTensors;
  const stopped = measure({ signal: stop.signal, onProgress: ({ step }) => step === 3 && stop.abort() });
  await expect(stopped).rejects.toMatchObject({
    code: "aborted",
    message: expect.stringContaining(
      `The measurement of sensitivity was stopped after pass 3 of ${2 * graph.nodes.length + 1}.`,
    ),
  });
  await expect(measure({ labels: "soft", signal: stop.signal })).rejects.toMatchObject({
    code: "aborted",
    message: expect.stringContaining("The measurement of sensitivity was stopped after 0 examples."),
  });
  expect(tf.memory().numTensors).toBe(before);
});

describe("prices", () => {
  /** A made-up table in which one node is starved and one has a bit to spare. */
  function made(): { table: Sensitivity; poor: string; rich: string } {
    const weights = graph.nodes.filter(({ kind }) => kind === "weight");
    const [poor, rich] = [...weights].sort((a, b) => a.elements - b.elements).map(({ id }) => id) as [
      string,
      string,
    ];
    const rows = graph.nodes.map(({ id, kind }) => ({
      ...{ node: id, kind, scheme: "clip" as const, bits: 2 },
      up: { loss: id === poor ? -0.3 : -0.01, error: 0.01 },
      down: { loss: id === rich ? 0.02 : 0.5, error: 0.01 },
    }));
    return { table: { rows, loss: 1, accuracy: 0.5, examples: 100, labels: "soft" }, poor, rich };
  }

  test("a bit costs what the cost model says, and is worth the loss it saves", () => {
    const { table, poor } = made();
    const price = shadowPrices(graph, table).rows.find(({ node }) => node === poor)!;
    const elements = graph.nodes.find(({ id }) => id === poor)!.elements;
    expect(price.bytes).toBe(elements / 8);
    expect(price.memoryBytes).toBe(elements / 8);
    expect(price.worth).toBe(0.3);
    expect(price.perKilobyte).toBeCloseTo((0.3 / (elements / 8)) * 1000);
    const macs = graph.calls.flatMap(({ products }) => products).filter(({ weight }) => weight === poor);
    const input = graph.nodes.some(({ id }) => id === macs[0]!.input) ? 2 : 8;
    expect(price.bitOperations).toBe(macs[0]!.macs * input);
  });

  test("the swap that pays is named, and no other; it costs no more", () => {
    const { table, poor, rich } = made();
    const { swaps } = shadowPrices(graph, table);
    expect(swaps.map(({ from, to }) => [from, to])).toEqual([[rich, poor]]);
    expect(swaps[0]!.gain).toBeCloseTo(0.28);
    expect(swaps[0]!.error).toBeCloseTo(Math.SQRT2 / 100);
    expect(swaps[0]!.bytes).toBeLessThanOrEqual(0);
  });

  test("a swap that breaks a limit, has a pinned end, or gains less than two errors is not named", () => {
    const { table, rich } = made();
    expect(shadowPrices(graph, table, { averageBits: 2, bitOperations: 1 }).swaps).toEqual([]);
    const pinned = quantizedGraph(graph.model, { pin: { [rich]: { bits: 2 } } });
    expect(shadowPrices(pinned, table).swaps).toEqual([]);
    const rows = table.rows.map((row) => ({ ...row, down: { ...row.down!, error: 0.2 } }));
    expect(shadowPrices(graph, { ...table, rows }).swaps).toEqual([]);
  });

  test("limits exchange for loss at the rates of the best next bit and the least missed last one", () => {
    const { table, poor, rich } = made();
    const size = sizeCost(graph);
    const used = costAt(size, Object.fromEntries(graph.nodes.map(({ id }) => [id, 2]))) / 8;
    const elements = (node: string) => graph.nodes.find(({ id }) => id === node)!.elements;
    const exchange = (modelSize: number) => shadowPrices(graph, table, { modelSize }).exchange[0]!;
    const tight = exchange(used);
    expect(tight).toMatchObject({ unit: "bytes", used, allowed: used, binding: true });
    expect(tight.buys!.node).toBe(poor);
    expect(tight.buys!.rate).toBeCloseTo(0.3 / (elements(poor) / 8));
    expect(tight.sells!.node).toBe(rich);
    expect(tight.sells!.rate).toBeCloseTo(0.02 / (elements(rich) / 8));
    expect(exchange(2 * used).binding).toBe(false);
  });
});
