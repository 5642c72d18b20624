import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { strToU8, zipSync } from "fflate";
import { describe, expect, test } from "vitest";
import { models } from "../../sdk/model/index.js";
import { file, fixture, hdf5, kerasH5, put, type Tensor } from "./files.js";

const EXPECTED: Record<string, { params: number; output: number[][] }> = JSON.parse(
  readFileSync(new URL("fixtures/expected.json", import.meta.url), "utf8"),
);
const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ code: "bad-model", message: expect.stringMatching(message) });

describe("files that Keras wrote", () => {
  test.each([
    ["keras2", "h5"],
    ["keras2", "keras"],
    ["keras3", "h5"],
    ["keras3", "keras"],
  ])("%s.%s computes what Keras computed", async (version, suffix) => {
    // Under a name that says nothing: the content tells the format.
    const model = await models.load(file("model.bin", fixture(`${version}.${suffix}`)));
    expect(model.countParams()).toBe(EXPECTED[version]!.params);
    const x = tf.tensor(
      Float32Array.from({ length: 144 }, (_, i) => Math.sin(i)),
      [2, 6, 6, 2],
    );
    const y = (model.predict(x) as tf.Tensor2D).arraySync();
    EXPECTED[version]!.output.forEach((row, n) => {
      row.forEach((value, i) => {
        expect(Math.abs(y[n]![i]! - value)).toBeLessThan(1e-6);
      });
    });
  });

  test("keep their initializers and regularizers", async () => {
    const model = await models.load(file("model.keras", fixture("keras3.keras")));
    const text = JSON.stringify(model.toJSON(null, false));
    expect(text).toContain('"class_name":"GlorotUniform"');
    expect(text).not.toContain("Deferred");
    expect(text).toContain('"l2":0.01');
  });
});

const dense = (name: string, units: number): object => ({
  class_name: "Dense",
  config: { name, units, activation: "linear", use_bias: true, trainable: true, dtype: "float32" },
});
const sequential = (...layers: object[]): object => ({
  class_name: "Sequential",
  config: {
    name: "made",
    layers: [
      { class_name: "InputLayer", config: { batch_input_shape: [null, 2], dtype: "float32", name: "in" } },
      ...layers,
    ],
  },
});
const two = sequential(dense("a", 2), dense("b", 1));
const weights: Record<string, Record<string, Tensor>> = {
  in: {},
  a: {
    "a/kernel:0": { shape: [2, 2], values: [1, 2, 3, 4] },
    "a/bias:0": { shape: [2], values: [10, 20] },
  },
  b: {
    "b/kernel:0": { shape: [2, 1], values: [1, -1] },
    "b/bias:0": { shape: [1], values: [0.5] },
  },
};

describe("an .h5 file", () => {
  const load = async (config: object, layers: typeof weights): Promise<tf.LayersModel> =>
    models.load(file("model.h5", await kerasH5(config, layers)));

  test("gives each weight its tensor", async () => {
    const model = await load(two, weights);
    // (1, 1) a = (14, 26); b = 14 - 26 + 0.5
    expect((model.predict(tf.ones([1, 2])) as tf.Tensor).dataSync()[0]).toBe(-11.5);
  });

  test("goes by names where the order differs", async () => {
    const turned = { ...weights, a: Object.fromEntries(Object.entries(weights.a!).reverse()) };
    const model = await load(two, turned);
    expect((model.predict(tf.ones([1, 2])) as tf.Tensor).dataSync()[0]).toBe(-11.5);
  });

  test.each<[string, typeof weights, RegExp]>([
    [
      "a missing tensor",
      { ...weights, a: { "a/kernel:0": weights.a!["a/kernel:0"]! } },
      /none for a\/bias at layer "a"/,
    ],
    ["a missing layer", { in: {}, a: weights.a! }, /none for b\/kernel, b\/bias at layer "b"/],
    [
      "a surplus tensor",
      { ...weights, a: { ...weights.a, "a/more:0": { shape: [1], values: [0] } } },
      /a\/more:0 that no layer has/,
    ],
    [
      "a surplus layer",
      { ...weights, c: { "c/kernel:0": { shape: [1], values: [0] } } },
      /c\/kernel:0 that no layer has/,
    ],
    [
      "another shape",
      { ...weights, b: { ...weights.b, "b/kernel:0": { shape: [1, 2], values: [1, -1] } } },
      /shape \[2, 1\] for b\/kernel, received \[1, 2\] in "b\/kernel:0"/,
    ],
    [
      "a weight that is not a number",
      { ...weights, b: { ...weights.b, "b/bias:0": { shape: [1], values: [Number.NaN] } } },
      /finite weights, received NaN at b\/bias, element 0/,
    ],
  ])("is refused for %s, and leaves no tensor behind", async (_, layers, message) => {
    const before = tf.memory().numTensors;
    await expect(load(two, layers)).rejects.toEqual(refusal(message));
    expect(tf.memory().numTensors).toBe(before);
  });

  test("is refused without a topology, cut, or with a broken one", async () => {
    const alone = await hdf5((root) => put(root, "a/a/kernel:0", [1], [1]));
    await expect(models.load(file("w.h5", alone))).rejects.toEqual(refusal(/attribute model_config/));
    const whole = await kerasH5(two, weights);
    await expect(models.load(file("w.h5", whole.subarray(0, 300)))).rejects.toEqual(
      refusal(/undamaged HDF5 file/),
    );
    const broken = await hdf5((root) => root.create_attribute("model_config", '{"class_name": '));
    await expect(models.load(file("w.h5", broken))).rejects.toEqual(refusal(/Expected JSON.*model_config/));
  });
});

describe("a .keras file", () => {
  const archive = async (
    config: unknown,
    fill: (put: (path: string, shape: number[], values: number[]) => void) => void,
  ): Promise<string> => {
    const values = await hdf5((root) => fill((path, shape, data) => put(root, path, shape, data)));
    const parts = {
      "config.json": strToU8(JSON.stringify(config)),
      "metadata.json": strToU8("{}"),
      "model.weights.h5": values,
    };
    return file("model.keras", zipSync(parts));
  };
  const fill = (put: (path: string, shape: number[], values: number[]) => void): void => {
    put("layers/dense/vars/0", [2, 2], [1, 2, 3, 4]);
    put("layers/dense/vars/1", [2], [10, 20]);
    put("layers/dense_1/vars/0", [2, 1], [1, -1]);
    put("layers/dense_1/vars/1", [1], [0.5]);
    put("layers/dropout/seed_generator/vars/0", [2], [1, 2]);
    put("optimizer/vars/0", [1], [3]);
  };

  test("names its groups by class, and its random states are passed over", async () => {
    const model = await models.load(await archive(two, fill));
    expect((model.predict(tf.ones([1, 2])) as tf.Tensor).dataSync()[0]).toBe(-11.5);
  });

  test("is refused for missing and surplus weights", async () => {
    const short = archive(two, (put) => put("layers/dense/vars/0", [2, 2], [1, 2, 3, 4]));
    await expect(models.load(await short)).rejects.toEqual(refusal(/none for a\/bias, b\/kernel, b\/bias/));
    const long = archive(two, (put) => {
      fill(put);
      put("layers/dense_2/vars/0", [1], [0]);
    });
    await expect(models.load(await long)).rejects.toEqual(
      refusal(/layers\/dense_2\/vars\/0 that no layer has/),
    );
  });

  test("is refused when it is cut or lacks a part", async () => {
    const bytes = fixture("keras3.keras");
    await expect(models.load(file("m.keras", bytes.subarray(0, 5000)))).rejects.toEqual(
      refusal(/undamaged archive/),
    );
    const half = zipSync({ "config.json": strToU8("{}") });
    await expect(models.load(file("m.keras", half))).rejects.toEqual(
      refusal(/model\.weights\.h5 in the archive/),
    );
  });
});
