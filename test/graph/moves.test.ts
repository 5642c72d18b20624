import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { models } from "../../sdk/model/index.js";
import { file } from "../model/files.js";
import { unit } from "../model/formula.js";
import { families, type LayerCase } from "../model/layers/fixture.js";

/** Cases of one layer on one input of numbers, as Keras writes them. */
const single = families().flatMap(([, cases]) =>
  cases.filter(({ inputs }) => inputs.length === 1 && inputs[0]!.dtype === "float32"),
);

const valuesOf = (shape: readonly number[]): Float32Array =>
  Float32Array.from(
    unit(
      "input:0",
      shape.reduce((a, b) => a * b, 1),
    ),
  );

const made: (readonly [LayerCase, QuantizedGraph])[] = [];

/** Their graphs, made by the first test that asks. */
async function graphs(): Promise<typeof made> {
  for (const each of made.length > 0 ? [] : single) {
    const model = await models.load(file("model.json", JSON.stringify(each.topology)));
    const graph = quantizedGraph(model);
    if (graph.calls.length === 1) made.push([each, graph]);
  }
  return made;
}

beforeAll(() => engine());

const outputOf = (graph: QuantizedGraph, values: Float32Array, shape: readonly number[]): Float32Array =>
  tf.tidy(() => {
    const x = tf.tensor(values, [1, ...shape]);
    const { outputs } = graph.forward(graph.read(), x, { training: false, quantize: (_, t) => t });
    return outputs[0]!.dataSync() as Float32Array;
  });

describe("what is known of layers by their class", () => {
  test("a layer whose result is made value by value gives no more than one value for each", async () => {
    const seen = new Set<string>();
    for (const [each, graph] of await graphs()) {
      const call = graph.calls[0]!;
      if (!call.streams) continue;
      seen.add(call.className);
      const { shape } = each.inputs[0]!;
      const values = valuesOf(shape).map((r) => 2 * r - 0.7);
      const before = outputOf(graph, values, shape);
      for (let i = 0; i < values.length; i += Math.ceil(values.length / 8)) {
        const after = outputOf(graph, values.with(i, values[i]! + 0.5), shape);
        const changed = after.filter((value, n) => !Object.is(value, before[n])).length;
        expect(changed, `${each.name}, value ${i}`).toBeLessThanOrEqual(1);
      }
    }
    expect(seen.size).toBeGreaterThan(8);
  });

  test("a layer that only moves the model's input gives its values, or zeros", async () => {
    const seen = new Set<string>();
    for (const [each, graph] of await graphs()) {
      const call = graph.calls[0]!;
      const moved = graph.tensors[call.outputs[0]!]!.modelInput;
      if (!moved || call.className === "Rescaling" || call.className === "Operation") continue;
      seen.add(call.className);
      const { shape } = each.inputs[0]!;
      const values = valuesOf(shape);
      const known = new Set([0, ...values]);
      for (const value of outputOf(graph, values, shape)) expect(known.has(value), each.name).toBe(true);
    }
    expect(seen.size).toBeGreaterThan(5);
  });
});
