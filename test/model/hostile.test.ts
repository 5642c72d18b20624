import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { functional, input, type Json, layer, load, refused, sequential } from "./json.js";

const flatten = (...inbound: unknown[]): Json =>
  functional(layer("Flatten", { name: "f" }, { name: "f", inbound_nodes: [[inbound]] }));
const called = (name: string, ...from: string[]): Json =>
  layer(
    from.length > 1 ? "Add" : "ReLU",
    { name },
    { name, inbound_nodes: [from.map((each) => [each, 0, 0, {}])] },
  );

describe("a topology that is no graph is refused instead of being waited for", () => {
  test.each<[string, Json, RegExp]>([
    [
      "a layer that is not there",
      flatten("gone", 0, 0, {}),
      /call 0 of "gone", which nothing makes, at layer "f"/,
    ],
    ["itself", flatten("f", 0, 0, {}), /call 0 of "f", which nothing makes, at layer "f"/],
    ["a later call", flatten("in", 1, 0, {}), /call 1 of "in"/],
    ["a call before the first", flatten("in", -1, 0, {}), /a tensor as \[layer, call, output\]/],
    ["a second output", flatten("in", 0, 1, {}), /output 1 of call 0 of "in"/],
    [
      "half a reference",
      flatten("in"),
      /a tensor as \[layer, call, output\], received \["in"\] at layer "f"/,
    ],
    [
      "nothing",
      functional(layer("Flatten", { name: "f" }, { name: "f", inbound_nodes: [[]] })),
      /at least one tensor.*"f"/,
    ],
    [
      "a circle",
      functional(called("a", "in", "c"), called("b", "a"), called("c", "b")),
      /which nothing makes, at layer "."/,
    ],
  ])("%s", (_, topology, message) => refused(topology, message));

  test("while a graph is taken, in whatever order its layers stand", async () => {
    expect((await load(flatten("in", 0, 0, {}))).outputs[0]!.shape).toEqual([null, 32]);
    const model = await load(
      functional(called("c", "b"), called("b", "a", "in"), called("a", "in", "in"), called("d", "c")),
    );
    expect((model.predict(tf.ones([1, 4, 4, 2])) as tf.Tensor).dataSync()[0]).toBe(3);
  });

  test("also where a shared layer's second call is listed before what makes the input of its first", async () => {
    const dense = layer(
      "Dense",
      { name: "d", units: 2, kernel_initializer: layer("Ones", {}), use_bias: false },
      { name: "d", inbound_nodes: [[["late", 0, 0, {}]], [["in", 0, 0, {}]]] },
    );
    const late = layer("ReLU", { name: "late" }, { name: "late", inbound_nodes: [[["in", 0, 0, {}]]] });
    const model = await load({
      ...functional(dense, late),
      config: {
        ...(functional(dense, late).config as Json),
        output_layers: [
          ["d", 0, 0],
          ["d", 1, 0],
        ],
      },
    });
    const [first, second] = model.predict(tf.fill([1, 4, 4, 2], -1)) as tf.Tensor[];
    expect([first!.dataSync()[0], second!.dataSync()[0]]).toEqual([0, -2]);
  });
});

describe("parts of another kind are refused by name", () => {
  test.each<[string, Json, RegExp]>([
    ["a layer as model", layer("Dense", { units: 1 }), /a Sequential or functional model, received Dense/],
    ["no layers", layer("Sequential", { name: "m" }), /a list of layers, received nothing/],
    ["no class", sequential({ nothing: true }), /a layer as \{ class_name, config \}/],
    ["no topology", { modelTopology: { hello: 1 } }, /a topology, received/],
    [
      "no configuration",
      sequential(input, { class_name: "Dense", config: null }),
      /a layer as \{ class_name, config \}/,
    ],
    [
      "no outputs",
      layer("Functional", { name: "m", layers: [input], input_layers: [["in", 0, 0]] }),
      /\[layer, call, output\], received nothing at output_layers of model "m"/,
    ],
    [
      "two layers of one name",
      functional(called("a", "in"), called("a", "in")),
      /layers of different names, received "a" twice at model "made"/,
    ],
    [
      "two layers of one name in a row",
      sequential(input, layer("ReLU", { name: "r" }), layer("ReLU", { name: "r" })),
      /"r" twice at model "made"/,
    ],
    [
      "a name that is no text",
      sequential(input, layer("ReLU", { name: ["r"] })),
      /text as the name of a layer, received \["r"\]/,
    ],
    [
      "a class that every object has",
      sequential(input, layer("constructor", { name: "c" })),
      /a layer class that tfjs has, received constructor/,
    ],
    [
      "an initializer as layer",
      sequential(input, layer("Zeros", { name: "z" })),
      /a layer class that tfjs has, received Zeros at layer "z"/,
    ],
    [
      "shapes that do not meet",
      functional(
        layer("Flatten", { name: "f" }, { name: "f", inbound_nodes: [[["in", 0, 0, {}]]] }),
        called("a", "in", "f"),
      ),
      /a topology that tfjs can build.* at layer "a" of model "made"/,
    ],
    [
      "a kernel larger than its input",
      sequential(input, layer("Conv2D", { name: "c", filters: 1, kernel_size: [9, 9] })),
      /at layer "c" of model "made"/,
    ],
  ])("%s", (_, topology, message) => refused(topology, message));

  test("text that is not JSON", async () => {
    await refused('{"class_name": "Sequential", "config": {"layers": [', /Expected JSON/);
    await refused(`{"class_name": ${"[".repeat(100_000)}`, /Expected JSON/);
  });
});

describe("sizes that no machine has are refused before memory is taken", () => {
  const nested = (levels: number): string =>
    '{"class_name": "Sequential", "config": {"name": "m", "layers": ['.repeat(levels) +
    JSON.stringify(sequential(input, layer("ReLU", { name: "r" }))) +
    "]}}".repeat(levels);
  /** A model that calls a model twice, that calls a model twice ... */
  const doubling = (levels: number): Json => {
    let model = functional(called("a", "in"));
    for (let i = 0; i < levels; i++) {
      const config = { ...(model.config as Json), name: "inner" };
      const inner = {
        ...model,
        config,
        name: "inner",
        inbound_nodes: [[["in", 0, 0, {}]], [["inner", 1, 0, {}]]],
      };
      model = {
        ...functional(inner),
        config: { ...(functional(inner).config as Json), output_layers: [["inner", 2, 0]] },
      };
    }
    return model;
  };

  test.each<[string, Json | string, RegExp]>([
    [
      "units",
      sequential(input, layer("Dense", { name: "d", units: 1e12 })),
      /at most 536870912 weights.*shape \[2, 1000000000000\].*kernel of layer "d"/,
    ],
    [
      "units in small steps, none of them in the file",
      {
        modelTopology: sequential(
          input,
          ...Array.from({ length: 40 }, (_, i) => layer("Dense", { name: `d${i}`, units: i % 2 ? 2 : 1e6 })),
        ),
        weightsManifest: [],
      },
      /at most 16777216 weights in all \(0 are in the file\), received shape \[2, 1000000\]/,
    ],
    ["a part of a unit", sequential(input, layer("Dense", { name: "d", units: 1.5 })), /layer "d"/],
    [
      "a table of words",
      sequential(
        layer("Embedding", { name: "e", input_dim: 2 ** 40, output_dim: 8, batch_input_shape: [null, 4] }),
      ),
      /embeddings of layer "e"/,
    ],
    [
      "what is multiplied up",
      sequential(
        layer("InputLayer", { name: "in", batch_input_shape: [null, 1e6, 1e6] }),
        layer("Flatten", { name: "f" }),
        layer("Dense", { name: "d", units: 8 }),
      ),
      /kernel of layer "d"/,
    ],
    [
      "axes",
      sequential(layer("InputLayer", { name: "in", batch_input_shape: Array(1e5).fill(1) })),
      /1 to 8 sizes.* at layer "in"/,
    ],
    [
      "a size",
      sequential(layer("InputLayer", { name: "in", batch_input_shape: [null, 1e300] })),
      /below 2\^31.*layer "in"/,
    ],
    ["levels", nested(10_000), /at most 400 levels of nesting/],
    ["calls of calls", doubling(60), /at most 200000 calls of layers/],
  ])("%s", async (_, topology, message) => {
    const before = tf.memory().numTensors;
    const start = performance.now();
    await refused(topology, message);
    expect(performance.now() - start).toBeLessThan(5000);
    expect(tf.memory().numTensors).toBe(before);
  });

  test("while what a person nests is taken", async () => {
    expect((await load(nested(60))).countParams()).toBe(0);
    expect((await load(doubling(8))).outputs[0]!.shape).toEqual([null, 4, 4, 2]);
  });
});
