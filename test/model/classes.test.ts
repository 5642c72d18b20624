import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { functional, input, type Json, layer, load, refused, sequential, tensor } from "./json.js";

/** Multiplies by what it is made with. */
class Scale extends tf.layers.Layer {
  static readonly className: string = "ScaleForTest";
  readonly #factor: number;
  constructor(config: { factor?: number }) {
    super(config as object);
    this.#factor = config.factor ?? 2;
  }
  override computeOutputShape(shape: tf.Shape): tf.Shape {
    return shape;
  }
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => [inputs].flat()[0]!.mul(this.#factor));
  }
}

class Packaged extends Scale {
  static override readonly className: string = "pack>Packaged";
}

/** A class of the name that a layer of Keras has. */
class GroupNormalization extends Scale {
  static override readonly className: string = "GroupNormalization";
}

const firstValue = async (topology: Json): Promise<number> => {
  const model = await load(topology);
  return (model.predict(tf.ones([1, 4, 4, 2])) as tf.Tensor).dataSync()[0]!;
};

describe("classes that the program registers", () => {
  tf.serialization.registerClass(Scale);
  tf.serialization.registerClass(Packaged);

  test.each<[string, Json]>([
    ["by the name of the class", layer("ScaleForTest", { name: "s", factor: 3 }, { module: "my.layers" })],
    ["by that alone", layer("ScaleForTest", { name: "s", factor: 3 })],
    [
      "by the name that Keras registered",
      layer("Packaged", { name: "s", factor: 3 }, { module: "my.layers", registered_name: "pack>Packaged" }),
    ],
    [
      "in Keras's main module",
      layer("Packaged", { name: "s", factor: 3 }, { module: null, registered_name: "pack>Packaged" }),
    ],
  ])("are found %s", async (_, own) => {
    expect(await firstValue(sequential(input, own))).toBe(3);
  });

  test("are found inside wrappers", async () => {
    const wrapper = layer("TimeDistributed", {
      name: "t",
      layer: layer("ScaleForTest", { name: "s", factor: 5 }),
    });
    expect(await firstValue(sequential(input, wrapper))).toBe(5);
  });

  test("stand before a layer of the same name, which a foreign class is not", async () => {
    const own = layer(
      "GroupNormalization",
      { name: "g", factor: 7 },
      { module: "my", registered_name: "my>GroupNormalization" },
    );
    await refused(sequential(input, own), /my\.GroupNormalization at layer "g"/);
    await refused(
      sequential(
        input,
        layer("Dense", { name: "d", units: 1 }, { module: null, registered_name: "my>Dense" }),
      ),
      /my>Dense at layer "d"/,
    );
    tf.serialization.registerClass(GroupNormalization);
    try {
      expect(await firstValue(sequential(input, own))).toBe(7);
    } finally {
      delete (tf.serialization.SerializationMap.getMap().classNameMap as Json).GroupNormalization;
    }
  });

  test("a subclass of keras.Model is refused with what to save instead", () =>
    refused(
      layer(
        "MyModel",
        { name: "m", layers: [input] },
        { module: "my.models", registered_name: "my>MyModel" },
      ),
      /a Sequential or functional model, received MyModel.*keras\.Model\(inputs, outputs\)/,
    ));
});

/** Reports the inputs and options that it was told of. */
class Told extends Scale {
  static override readonly className: string = "ToldForTest";
  static readonly tensorArguments = ["query", "value", "key", "attention_mask"];
  static readonly callOptions = ["use_causal_mask", "score_mode"];
  readonly told: Json;
  constructor(config: Json) {
    super(config);
    this.told = config;
  }
  override computeOutputShape(shape: tf.Shape | tf.Shape[]): tf.Shape {
    return Array.isArray(shape[0]) ? shape[0] : (shape as tf.Shape);
  }
}

describe("arguments of a call", () => {
  tf.serialization.registerClass(Told);
  const twice = layer("ReLU", { name: "r" }, { name: "r", inbound_nodes: [[["in", 0, 0, {}]]] });
  const told = (...nodes: unknown[]): Json =>
    functional(twice, layer("ToldForTest", { name: "t" }, { name: "t", inbound_nodes: nodes }));
  const read = async (topology: Json) => {
    const model = await load(topology);
    const own = model.getLayer("t") as Told;
    return {
      inputs: own.told.inputs,
      call: own.told.call,
      from: [own.inboundNodes[0]!.inputTensors].flat().map(({ sourceLayer }) => sourceLayer.name),
    };
  };

  test.each<[string, unknown, object]>([
    ["one tensor", [["in", 0, 0, {}]], { from: ["in"] }],
    [
      "tensors by name, of Keras 2",
      [["in", 0, 0, { attention_mask: ["r", 0, 0], value: ["in", 0, 0], training: false }]],
      { inputs: ["query", "value", "attentionMask"], from: ["in", "in", "r"] },
    ],
    [
      "options of Keras 2",
      [["in", 0, 0, { value: ["r", 0, 0], use_causal_mask: true, score_mode: null }]],
      { inputs: ["query", "value"], call: { useCausalMask: true }, from: ["in", "r"] },
    ],
    [
      "tensors by position, of Keras 3",
      {
        args: [tensor("r"), tensor("in"), null, tensor("in")],
        kwargs: { use_causal_mask: false, training: null },
      },
      {
        inputs: ["query", "value", "attentionMask"],
        call: { useCausalMask: false },
        from: ["r", "in", "in"],
      },
    ],
    [
      "tensors by name alone, of Keras 3",
      { args: [], kwargs: { value: tensor("r"), query: tensor("in") } },
      { inputs: ["query", "value"], from: ["in", "r"] },
    ],
    [
      "a list, of Keras 3",
      { args: [[tensor("in"), tensor("r")]], kwargs: { mask: [null, null] } },
      { from: ["in", "r"] },
    ],
  ])("reach the layer: %s", async (_, node, expected) => {
    expect(await read(told(node))).toEqual({ inputs: undefined, call: undefined, ...expected });
  });

  test.each<[string, unknown[], RegExp]>([
    [
      "an unknown tensor",
      [[["in", 0, 0, { bias: ["r", 0, 0] }]]],
      /arguments that its class knows, received bias .*layer "t"/,
    ],
    [
      "being called for training",
      [[["in", 0, 0, { training: true }]]],
      /received training true at layer "t"/,
    ],
    ["more than there are", [{ args: Array(5).fill(tensor("in")), kwargs: {} }], /received argument 5/],
    [
      "numbers among tensors",
      [{ args: [[tensor("in"), 3]], kwargs: {} }],
      /tensors alone in an argument.*layer "t"/,
    ],
    [
      "calls that differ",
      [[["in", 0, 0, {}]], [["in", 0, 0, { use_causal_mask: true }]]],
      /calls that agree in all but tensors.*layer "t"/,
    ],
    [
      "an object of an unknown kind",
      [{ args: [tensor("in")], kwargs: { score_mode: layer("Thing", {}) } }],
      /a value without code of its own.*layer "t"/,
    ],
  ])("are refused: %s", (_, nodes, message) => refused(told(...nodes), message));

  test("Keras 2 leaves out the tensors of some functions, which is said", () =>
    refused(
      functional(
        layer(
          "TFOpLambda",
          { name: "e", function: "einsum" },
          { name: "e", inbound_nodes: [["_CONSTANT_VALUE", -1, "ab,bc->ac", {}]] },
        ),
      ),
      /an operation on at least one tensor.*layer "e"/,
    ));

  test("infinity, as Python writes it, is a number", async () => {
    const clip = layer(
      "Clip",
      { name: "c", x_min: 0, x_max: "HERE" },
      {
        module: "keras.src.ops.numpy",
        name: "c",
        inbound_nodes: [{ args: [tensor("in")], kwargs: {} }],
      },
    );
    const text = JSON.stringify(functional(clip));
    const model = await load(text.replace('"HERE"', "Infinity"));
    expect((model.predict(tf.fill([1, 4, 4, 2], 1e30)) as tf.Tensor).dataSync()[0]).toBeCloseTo(1e30, -25);
  });
});

describe("types of numbers", () => {
  const policy = (class_name: string, config: Json): Json =>
    layer(class_name, config, { module: "keras", registered_name: null });
  const dense = (dtype: unknown): Json => sequential(input, layer("Dense", { name: "d", units: 1, dtype }));

  test.each([
    "float32",
    "float64",
    "bfloat16",
    policy("Policy", { name: "mixed_float16" }),
    policy("DTypePolicy", { name: "mixed_bfloat16" }),
  ])("%j is computed in float32", async (dtype) => {
    const model = await load(dense(dtype));
    expect(model.weights.map((weight) => weight.dtype)).toEqual(["float32", "float32"]);
  });

  test.each(["int64", "uint8", "int32"])("%s is int32", async (dtype) => {
    const model = await load(
      sequential(layer("InputLayer", { name: "in", batch_input_shape: [null, 3], dtype })),
    );
    expect(model.inputs[0]!.dtype).toBe("int32");
  });

  test.each<[string, Json, RegExp]>([
    [
      "quantized numbers",
      dense(policy("QuantizedDTypePolicy", { mode: "int8", source_name: "float32" })),
      /"mode":"int8".* at layer "d"/,
    ],
    [
      "a policy by layer",
      dense(policy("DTypePolicyMap", { default_policy: null, policy_map: {} })),
      /DTypePolicyMap.* at layer "d"/,
    ],
    [
      "text",
      sequential(layer("InputLayer", { name: "in", batch_input_shape: [null, 3], dtype: "string" })),
      /received "string" at layer "in"/,
    ],
    [
      "ragged tensors",
      sequential(layer("InputLayer", { name: "in", batch_input_shape: [null, 3], ragged: true })),
      /ragged false of InputLayer, received true/,
    ],
  ])("%s are refused", (_, topology, message) => refused(topology, message));
});

describe("code in a file is refused by name, wherever it stands", () => {
  const lambda = layer(
    "Lambda",
    { name: "code", function: layer("__lambda__", { code: "x" }) },
    { module: "keras.layers" },
  );

  test.each<[string, Json]>([
    ["a layer", sequential(input, lambda)],
    ["in a wrapper", sequential(input, layer("TimeDistributed", { name: "t", layer: lambda }))],
    [
      "in a model in a wrapper",
      sequential(input, layer("TimeDistributed", { name: "t", layer: sequential(lambda) })),
    ],
    ["in a nested model", sequential(input, layer("Sequential", { name: "inner", layers: [lambda] }))],
    [
      "as an option",
      sequential(
        input,
        layer("Dense", { name: "d", units: 1, kernel_initializer: layer("__lambda__", { code: "x" }) }),
      ),
    ],
  ])("%s", (_, topology) =>
    refused(topology, /layers without code of their own, received a (Lambda layer|Python lambda)/),
  );
});

describe("what a model says of itself", () => {
  test("a Sequential takes its shape from wherever Keras wrote it", async () => {
    const dense = layer("Dense", { name: "d", units: 3 });
    const inner = layer("Sequential", { name: "inner", layers: [dense] });
    const built = { input_shape: [null, 5] };
    for (const topology of [
      layer("Sequential", { name: "m", layers: [dense], build_input_shape: [null, 5] }),
      layer("Sequential", { name: "m", layers: [dense] }, { build_config: built }),
      sequential({ ...dense, build_config: built }),
      layer("Sequential", { name: "m", layers: [inner] }, { build_config: built }),
    ]) {
      expect((await load(topology)).countParams()).toBe(18);
    }
    await refused(sequential(dense), /inputShape.*at layer "d" of model "made"/);
  });

  test("weights that are not trained, and layers that nothing calls", async () => {
    const frozen = layer(
      "Dense",
      { name: "d", units: 2, trainable: false },
      { name: "d", inbound_nodes: [[["in", 0, 0, {}]]] },
    );
    const unused = layer("Lambda", { name: "unused" }, { name: "unused", inbound_nodes: [] });
    const topology = functional(unused, frozen);
    const model = await load({ ...topology, compile_config: { optimizer: "nothing that we know" } });
    expect([model.weights.length, model.trainableWeights.length]).toEqual([2, 0]);
  });
});
