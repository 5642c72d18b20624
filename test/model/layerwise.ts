import * as tf from "@tensorflow/tfjs";
import { expect } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { type QuantizedGraph, quantizedGraph } from "../../sdk/graph/graph.js";
import { weightValues } from "./formula.js";

/** What every layer of a model makes of one input. */
export interface Layerwise {
  /** Layer by layer, in the model's order, the input apart. */
  readonly layers: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly mean: number;
    readonly deviation: number;
  }[];
  /** The first 64 values that the last layer receives. */
  readonly features: readonly number[];
  /** What the model gives back. */
  readonly output: readonly number[];
}

/** Gives every weight of the model the value that the formula has for its name. */
export function fillByFormula({ model, variables, write }: QuantizedGraph): void {
  for (const { name, shape, dtype } of variables) {
    // Layers' names may hold slashes, and those of nested models count by the outermost.
    const named = model.layers.map((each) => each.name).filter((each) => name.startsWith(`${each}/`));
    const layer = named.toSorted((a, b) => b.length - a.length)[0]!;
    const values = weightValues(layer + name.slice(name.lastIndexOf("/")), shape);
    tf.tidy(() => write({ [name]: tf.tensor(values, [...shape]).cast(dtype) }));
  }
}

/** Runs the whole model once, as one step of the engine that returns two numbers per layer instead of its tensors. */
export async function layerwise(model: tf.LayersModel, x: Float32Array, shape: number[]): Promise<Layerwise> {
  const layers = model.layers.filter((layer) => layer.getClassName() !== "InputLayer");
  // A nested model counts its own making as its first call.
  const outputs = layers.map(
    (layer) => layer.getOutputAt(layer instanceof tf.LayersModel ? 1 : 0) as tf.SymbolicTensor,
  );
  const features = layers.at(-1)!.input as tf.SymbolicTensor;
  const graph = quantizedGraph(
    tf.model({ inputs: model.inputs, outputs: [...outputs, features, model.outputs[0]!] }),
  );
  const shapes: number[][] = [];
  const step = (await engine()).compile("layerwise", ({ input, ...variables }) => {
    const { outputs } = graph.forward(variables, input!, { training: false, quantize: (_, y) => y });
    const [features, output] = outputs.splice(-2);
    shapes.splice(0, shapes.length, ...outputs.map((y) => y.shape));
    const rows = outputs.map((y) => {
      const mean = tf.mean(y);
      return tf.stack([mean, tf.sqrt(tf.mean(tf.square(tf.sub(y, mean))))]);
    });
    const flat = tf.reshape(features!, [-1]);
    return { rows: tf.stack(rows), features: tf.slice(flat, 0, Math.min(64, flat.size)), output: output! };
  });
  const inputs = { ...graph.read(), input: tf.tensor(x, shape) };
  const results = await step.run(inputs);
  const rows = (await results.rows!.array()) as number[][];
  const read = {
    layers: layers.map(({ name }, i) => ({
      name,
      shape: shapes[i]!,
      mean: rows[i]![0]!,
      deviation: rows[i]![1]!,
    })),
    features: [...(await results.features!.data())],
    output: [...(await results.output!.data())],
  };
  tf.dispose([inputs, results]);
  step.dispose();
  return read;
}

/** Every mean and deviation within a thousandth of its layer's deviation, and so the values that are given one by one. */
export function expectAlike(found: Layerwise, expected: Layerwise): void {
  const own = new Map(found.layers.map((layer) => [layer.name, layer]));
  expect(Object.fromEntries(found.layers.map(({ name, shape }) => [name, shape]))).toEqual(
    Object.fromEntries(expected.layers.map(({ name, shape }) => [name, shape])),
  );
  const far = expected.layers.filter(({ name, mean, deviation }) => {
    const layer = own.get(name)!;
    const error = Math.max(Math.abs(layer.mean - mean), Math.abs(layer.deviation - deviation));
    return !(error < 1e-3 * deviation);
  });
  expect(far.map((layer) => ({ ...layer, received: own.get(layer.name) }))).toEqual([]);
  expectNear(found.features, expected.features, deviationOf(expected.features));
  expectNear(found.output, expected.output, expected.layers.at(-1)!.deviation);
}

function expectNear(found: readonly number[], expected: readonly number[], deviation: number): void {
  for (const [i, value] of expected.entries())
    expect(Math.abs(found[i]! - value)).toBeLessThan(1e-3 * deviation);
}

function deviationOf(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}
