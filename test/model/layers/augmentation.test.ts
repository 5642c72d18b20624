import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../../sdk/engine/engine.js";
import { engine } from "../../../sdk/engine/index.js";
import { quantizedGraph } from "../../../sdk/graph/graph.js";
import { models } from "../../../sdk/model/index.js";
import { warped } from "../../../sdk/model/layers/warp.js";
import { file } from "../files.js";
import { unit } from "../formula.js";
import type { Numbers } from "./fixture.js";

interface WarpCase {
  readonly name: string;
  readonly transform: readonly (readonly number[])[];
  readonly fill: string;
  readonly interpolation: string;
  readonly output: Numbers;
}

let native: Engine;
beforeAll(async () => {
  native = await engine();
});

describe("images seen at other places are Keras's", () => {
  const cases = JSON.parse(
    gunzipSync(readFileSync(new URL("warp.json.gz", import.meta.url))).toString(),
  ) as WarpCase[];
  test.each(cases.map((each) => [each.name, each] as const))("%s", (_, each) => {
    const values = Array.from(unit("input:0", 80), (r) => 2 * r - 1);
    const x = tf.tensor(values, [2, 4, 5, 2]);
    const columns = Array.from({ length: 6 }, (_, i) =>
      tf.tensor(
        each.transform.map((row) => row[i]!),
        [2, 1, 1, 1],
      ),
    );
    const { fill: fillMode, interpolation } = each;
    const y = warped(x, columns, { fillMode, interpolation, fillValue: 0.5, layer: "test" }).dataSync();
    each.output.values.forEach((value, i) => {
      expect(Math.abs(y[i]! - value), `element ${i}: ${y[i]}, Keras ${value}`).toBeLessThan(1e-5);
    });
  });
});

type Config = Record<string, unknown>;

async function model(class_name: string, config: Config, shape: number[]) {
  const input = { class_name: "InputLayer", config: { batch_input_shape: [null, ...shape], name: "in" } };
  const layer = { class_name, config: { name: "layer", ...config } };
  const topology = { class_name: "Sequential", config: { name: "made", layers: [input, layer] } };
  return models.load(file("model.json", JSON.stringify(topology)));
}

/** What the layer makes of `x` in a compiled step of training, and the gradient of its sum of squares. */
async function trained(made: tf.LayersModel, x: tf.Tensor, seed: readonly [number, number]) {
  const graph = quantizedGraph(made);
  const step = native.compile("augment", ({ x, seed }) => {
    const options = { training: true, quantize: (_: unknown, t: tf.Tensor) => t, seed: seed! };
    const [y] = graph.forward(graph.read(), x!, options).outputs;
    const gradient = tf.grad((t: tf.Tensor) => tf.sum(tf.square(graph.forward({}, t, options).outputs[0]!)))(
      x!,
    );
    return { y: y!, gradient };
  });
  const { y, gradient } = await step.run({ x, seed: tf.tensor1d([...seed], "int32") });
  step.dispose();
  return { y: y!, gradient: gradient! };
}

const LAYERS: [string, Config][] = [
  ["RandomFlip", { mode: "horizontal_and_vertical" }],
  ["RandomTranslation", { height_factor: 0.3, width_factor: [-0.2, 0.4], fill_mode: "constant" }],
  ["RandomZoom", { height_factor: [-0.5, 0.5], width_factor: null, fill_mode: "reflect" }],
  ["RandomRotation", { factor: 0.4, fill_mode: "nearest" }],
  ["RandomBrightness", { factor: 0.5, value_range: [0, 1] }],
  ["RandomContrast", { factor: 0.9, value_range: [0, 1] }],
  ["RandomCrop", { height: 4, width: 3 }],
  ["RandomGrayscale", { factor: 0.5 }],
  ["RandomInvert", { factor: 0.5, value_range: [0, 1] }],
  ["SpatialDropout2D", { rate: 0.5 }],
  ["StochasticDepth", { drop_path_rate: 0.5 }],
];
const image = (): tf.Tensor => tf.tensor(Float32Array.from(unit("images", 16 * 6 * 5 * 3)), [16, 6, 5, 3]);

describe("augmentations in compiled steps of training", () => {
  test.each(LAYERS)("%s follows from the seed alone and has a gradient", async (name, config) => {
    const made = await model(name, config, [6, 5, 3]);
    const x = image();
    const first = await trained(made, x, [1, 2]);
    const again = await trained(made, x, [1, 2]);
    const other = await trained(made, x, [1, 3]);
    expect(first.y.dataSync()).toEqual(again.y.dataSync());
    expect(first.y.dataSync()).not.toEqual(other.y.dataSync());
    expect(first.y.shape.slice(1)).toEqual(made.outputs[0]!.shape.slice(1));
    const gradient = first.gradient.dataSync();
    expect(gradient.every(Number.isFinite)).toBe(true);
    expect(gradient.some((value) => value !== 0)).toBe(true);
  });

  test("RandomFlip leaves each image as it was, or mirrors it", async () => {
    const x = image();
    const { y } = await trained(await model("RandomFlip", { mode: "horizontal" }, [6, 5, 3]), x, [5, 6]);
    const rows = (t: tf.Tensor): string[] => tf.unstack(t).map((each) => Array.from(each.dataSync()).join());
    const [made, plain, mirrored] = [y, x, tf.reverse(x, 2)].map(rows) as [string[], string[], string[]];
    const kinds = made.map((each, i) =>
      each === plain[i] ? "plain" : each === mirrored[i] ? "mirrored" : "?",
    );
    expect(new Set(kinds)).toEqual(new Set(["plain", "mirrored"]));
  });

  test("RandomCrop gives a part of each image", async () => {
    const x = tf.reshape(tf.range(0, 30, 1, "float32"), [1, 6, 5, 1]);
    const made = await model("RandomCrop", { height: 4, width: 3 }, [6, 5, 1]);
    const y = Array.from((await trained(made, x, [3, 4])).y.dataSync());
    const start = y[0]!;
    expect(y).toEqual(Array.from({ length: 12 }, (_, i) => start + 5 * Math.floor(i / 3) + (i % 3)));
  });

  test("an augmentation that training lacks is refused there, by name", async () => {
    const made = await model("RandomHue", { factor: 0.2 }, [6, 5, 3]);
    const x = image();
    expect((made.predict(x) as tf.Tensor).dataSync()).toEqual(x.dataSync());
    await expect(trained(made, x, [1, 2])).rejects.toThrow(/RandomHue at layer "layer"/);
  });
});
