import type * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { autoqnn } from "../../sdk/autoqnn.js";
import { engine } from "../../sdk/engine/index.js";
import { generate, load, type QuantizedModel } from "../../sdk/generate/index.js";
import { type GraphOptions, type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { measure } from "../../sdk/staircase/schemes.js";
import type { Snapshot } from "../../sdk/train/snapshot.js";
import { directory } from "../model/files.js";
import { batchOf, loaded } from "../model/layers/filled.js";
import { families } from "../model/layers/fixture.js";
import { PROVENANCE, snapshotOf } from "./models.js";

/**
 * Largest error at 8 bits, as a share of the largest magnitude of an output. Uniform weights are off by 1 % of their range
 * at most, and what is off meets again in every step of a recurrent layer; the largest seen is 11 %.
 */
const TOLERANCE = 0.15;

/** Every input that may be quantized, those of the model and those inside layers among them. */
const EVERY_INPUT: GraphOptions = { quantizeInput: true, recurrentState: true, attentionProducts: true };

beforeAll(async () => {
  await engine();
});

/** The layers of Keras by family, each once where two writers agree on its name. */
const LAYERS = families().map(
  ([family, cases]) => [family, [...new Map(cases.map((each) => [each.name, each])).values()]] as const,
);

const predicted = (model: QuantizedModel, batch: tf.Tensor[]): tf.Tensor[] => [model.predict(batch)].flat();

/** The weights as they are, and the statistics of what passes the inputs in a pass of `batch`. */
async function calibrated(graph: QuantizedGraph, batch: tf.Tensor[]): Promise<Snapshot> {
  const passing: Record<string, number[]> = {};
  const values = graph.read();
  graph.forward(values, batch, {
    training: false,
    quantize: ({ id, kind }, x) => {
      if (kind === "input") passing[id] = [...(passing[id] ?? []), ...x.dataSync()];
      return x;
    },
  });
  const inputs = Object.entries(passing);
  return {
    ...(await snapshotOf(graph)),
    scales: {},
    statistics: Object.fromEntries(inputs.map(([id, x]) => [id, measure(Float32Array.from(x))])),
    signed: Object.fromEntries(inputs.map(([id, x]) => [id, x.some((value) => value < 0)])),
  };
}

/** Saved and loaded again, the model is the same: the outputs by their raw bits, so that -0 and 0 differ. */
async function expectLoadsAgain(model: QuantizedModel, batch: tf.Tensor[]): Promise<void> {
  const path = directory();
  await model.save(path);
  const again = await load(path);
  const bits = (y: tf.Tensor): Uint32Array => new Uint32Array(Float32Array.from(y.dataSync()).buffer);
  expect(predicted(again, batch).map(bits)).toEqual(predicted(model, batch).map(bits));
  expect(again.toString()).toBe(model.toString());
}

function expectNear(actual: readonly tf.Tensor[], expected: readonly tf.Tensor[]): void {
  expect(actual.map(({ shape }) => shape)).toEqual(expected.map(({ shape }) => shape));
  expected.forEach((y, n) => {
    const [values, wanted] = [actual[n]!, y].map((x) => [...x.dataSync()]) as [number[], number[]];
    const scale = wanted.reduce((most, value) => Math.max(most, Math.abs(value)), 0.1);
    const error = wanted.reduce((most, value, i) => Math.max(most, Math.abs(values[i]! - value)), 0);
    expect(error / scale, `output ${n}`).toBeLessThanOrEqual(TOLERANCE);
  });
}

/** Every variable and every input of a layer is a node, or is left alone for a reason. */
function expectAllAccountedFor(graph: QuantizedGraph, { nodes, leftAlone }: QuantizedModel): void {
  const all = [
    ...graph.variables.map(({ name }) => name),
    ...[...graph.edges, ...graph.inner].map(({ id }) => id),
  ];
  expect([...nodes, ...leftAlone].map(({ id }) => id).sort()).toEqual(all.sort());
  for (const { id, reason } of leftAlone) expect(reason, id).not.toBe("");
}

describe.each(LAYERS)("artifacts of layers: %s", (_, cases) => {
  test.each(cases.map((each) => [each.name, each] as const))("%s", async (_, each) => {
    const { model } = await loaded(each);
    const batch = batchOf(each);
    const floating = [model.predict(batch.length > 1 ? batch : batch[0]!)].flat();

    const weights = await autoqnn(model).generate();
    expectAllAccountedFor(quantizedGraph(model), weights);
    expectNear(predicted(weights, batch), floating);
    await expectLoadsAgain(weights, batch);

    const graph = quantizedGraph(model, EVERY_INPUT);
    const assignment = graph.nodes.map(({ id }) => [id, { scheme: "clip", bits: 8 }] as const);
    const snapshot = await calibrated(graph, batch);
    const both = generate(graph, snapshot, Object.fromEntries(assignment), PROVENANCE);
    expect(both.nodes.length).toBe(graph.nodes.length);
    expectAllAccountedFor(graph, both);
    expectNear(predicted(both, batch), floating);
    await expectLoadsAgain(both, batch);
    model.dispose();
  });
});
