import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { models } from "../../sdk/model/index.js";
import { input, type Json, layer, load, refused, sequential, tensor } from "./json.js";

const TOPOLOGIES = fileURLToPath(new URL("../../../shared/reference/topologies/", import.meta.url));
const absent = existsSync(TOPOLOGIES) ? "" : " (skipped: the reference topologies are not on this machine)";

describe.skipIf(absent !== "")(`Keras Applications${absent}`, () => {
  test.each([
    "VGG16",
    "ResNet50",
    "DenseNet121",
    "InceptionV3",
    "MobileNetV2",
    "NASNetMobile",
    "Xception",
    "EfficientNetB0",
    "ConvNeXtTiny",
    "MobileNet",
    "MobileNetV3Small",
    "RegNetX002",
  ])(
    "%s loads by topology, with all of its parameters",
    async (name) => {
      const path = `${TOPOLOGIES}${name}.json`;
      const model = await models.load(path);
      expect(model.countParams()).toBe(JSON.parse(readFileSync(path, "utf8")).params);
      model.dispose();
    },
    60_000,
  );
});

describe("Keras 3 words", () => {
  const policy = {
    module: "keras",
    class_name: "DTypePolicy",
    config: { name: "mixed_float16" },
    registered_name: null,
  };
  const node = (...inputs: Json[]): Json => ({
    args: [inputs.length === 1 ? inputs[0] : inputs],
    kwargs: { mask: null, training: false },
  });

  test("inbound nodes, policies, batch_shape, regularizers and a nested model called twice", async () => {
    const inner = layer(
      "Functional",
      {
        name: "inner",
        layers: [
          layer(
            "InputLayer",
            { batch_shape: [null, 4], name: "x", ragged: false },
            { name: "x", inbound_nodes: [] },
          ),
          layer(
            "Dense",
            {
              name: "d",
              units: 4,
              dtype: policy,
              kernel_regularizer: layer("L2", { l2: 0.5 }),
              kernel_initializer: layer("Ones", {}),
            },
            { name: "d", inbound_nodes: [node(tensor("x"))] },
          ),
        ],
        input_layers: ["x", 0, 0],
        output_layers: ["d", 0, 0],
      },
      { name: "inner", inbound_nodes: [node(tensor("in")), node(tensor("inner", 0))] },
    );
    const model = await load(
      layer("Functional", {
        name: "outer",
        layers: [
          layer(
            "InputLayer",
            { batch_shape: [null, 4], dtype: "float32", name: "in" },
            { name: "in", inbound_nodes: [] },
          ),
          inner,
          layer(
            "Add",
            { name: "sum", dtype: policy },
            { name: "sum", inbound_nodes: [node(tensor("inner", 0), tensor("inner", 1))] },
          ),
          layer(
            "LeakyReLU",
            { name: "leaky", negative_slope: 0.25 },
            { name: "leaky", inbound_nodes: [node(tensor("sum"))] },
          ),
        ],
        input_layers: [["in", 0, 0]],
        output_layers: [
          ["leaky", 0, 0],
          // Among outputs, not among inputs, a functional model's own making counts as a call of it.
          ["inner", 1, 0],
          ["inner", 2, 0],
        ],
      }),
    );
    const [leaky, once, twice] = model.predict(tf.fill([1, 4], -1)) as tf.Tensor[];
    // inner(x) = 4 sum(x) / 4 per unit: -4, then -16.
    expect([leaky, once, twice].map((y) => y!.dataSync()[0])).toEqual([0.25 * -20, -4, -16]);
    expect(JSON.stringify(model.toJSON(null, false))).toContain('"l2":0.5');
  });

  test.each([
    ["LecunNormal", { seed: { class_name: "SeedGenerator", config: {} } }],
    ["LecunUniform", { seed: 3 }],
    ["OrthogonalInitializer", { gain: 1 }],
    ["VarianceScaling", { scale: 2, mode: "fan_out", distribution: "untruncated_normal", seed: null }],
  ])("the initializer %s draws weights where the file has none", async (name, config) => {
    const kernel_initializer = layer(name, config);
    const dense = layer("Dense", { name: "d", units: 3, dtype: policy, kernel_initializer });
    const model = await load(sequential(input, dense));
    expect(tf.moments(model.getWeights()[0]!).variance.dataSync()[0]).toBeGreaterThan(0);
  });

  test("a Sequential that was built later has its input", async () => {
    const model = await load(
      layer("Sequential", {
        name: "late",
        layers: [layer("Dense", { name: "d", units: 3, dtype: policy })],
        build_input_shape: [null, 5],
      }),
    );
    expect(model.countParams()).toBe(18);
  });

  test.each<[string, Json, RegExp]>([
    [
      "an operation",
      layer("Add", { name: "plus" }, { module: "keras.src.ops.numpy" }),
      /keras\.src\.ops\.numpy\.Add at layer "plus"/,
    ],
    [
      "a class of the user's",
      layer("Dense", { name: "own", units: 1 }, { module: "my.layers" }),
      /my\.layers\.Dense at layer "own"/,
    ],
  ])("%s is refused", (_, made, message) => refused(sequential(input, made), message));

  test("further tensors of a call are refused", async () => {
    const call = { args: [tensor("in")], kwargs: { value: tensor("in") } };
    const layers = [input, layer("Dense", { name: "d", units: 1 }, { name: "d", inbound_nodes: [call] })];
    await refused(
      layer("Functional", { name: "m", layers, input_layers: ["in", 0, 0], output_layers: ["d", 0, 0] }),
      /a call with arguments that its class knows, received value \{"tensor":1\} at layer "d"/,
    );
  });
});

describe("what tfjs cannot honour", () => {
  test.each<[string, Json, RegExp]>([
    ["Lambda", layer("Lambda", { name: "code" }), /a Lambda layer at layer "code".*never run/],
    [
      "an unknown class",
      layer("Whatever", { name: "w" }),
      /a layer class that tfjs has, received Whatever at layer "w"/,
    ],
    [
      "an unknown activation",
      layer("Dense", { name: "d", units: 1, activation: "hard_swoosh" }),
      /an activation that Keras or tfjs has, received "hard_swoosh" at layer "d"/,
    ],
  ])("%s is refused", (_, made, message) => refused(sequential(input, made), message));

  test("what tfjs itself wrote is taken at its word", async () => {
    const model = tf.sequential();
    model.add(tf.layers.upSampling2d({ size: [2, 2], interpolation: "bilinear", inputShape: [2, 2, 1] }));
    const again = await load(model.toJSON(null, false) as Json);
    const x = tf.tensor4d([0, 1, 2, 3], [1, 2, 2, 1]);
    expect((again.predict(x) as tf.Tensor).dataSync()).toEqual((model.predict(x) as tf.Tensor).dataSync());
  });

  test("a class that the program registers is taken", async () => {
    class Halve extends tf.layers.Layer {
      static readonly className = "HalveForTest";
      override computeOutputShape(shape: tf.Shape): tf.Shape {
        return shape;
      }
      override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
        return tf.tidy(() => [inputs].flat()[0]!.div(2));
      }
    }
    tf.serialization.registerClass(Halve);
    const model = await load(
      sequential(input, layer("HalveForTest", { name: "half" }, { module: "my.layers" })),
    );
    expect((model.predict(tf.ones([1, 4, 4, 2])) as tf.Tensor).dataSync()[0]).toBe(0.5);
  });
});
