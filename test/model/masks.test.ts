import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { autoqnn, load, models } from "../../sdk/index.js";
import { directory, file } from "./files.js";
import { batchOf, loaded } from "./layers/filled.js";
import { families } from "./layers/fixture.js";

beforeAll(() => engine());

const written = (model: tf.LayersModel): string =>
  file("model.json", JSON.stringify(model.toJSON(null, false)));
const symbolic = (
  layer: tf.layers.Layer,
  input: tf.SymbolicTensor | tf.SymbolicTensor[],
): tf.SymbolicTensor => layer.apply(input) as tf.SymbolicTensor;
const words = (): tf.SymbolicTensor => tf.input({ shape: [6], dtype: "int32" });
const embedded = (x: tf.SymbolicTensor): tf.SymbolicTensor =>
  symbolic(tf.layers.embedding({ inputDim: 3, outputDim: 4, maskZero: true }), x);

// What Keras computes for models with masks is held by layers/layers.test.ts.
describe("a quantized network with masks in nested models", () => {
  const cases = new Map(families()).get("masks")!.filter(({ writer }) => writer === "keras3");

  test.each(cases.map((each) => [each.name, each] as const))(
    "computes as before after it was saved: %s",
    async (_, each) => {
      const { model } = await loaded(each);
      const quantized = await autoqnn(model, { pin: { "*": { scheme: "clip", bits: 8 } } }).generate();
      const path = directory();
      await quantized.save(path);
      const again = await load(path);
      const batch = batchOf(each);
      const [before, after] = [quantized, again].map((own) =>
        [own.predict(batch.length > 1 ? batch : batch[0]!)].flat().map((y) => y.dataSync()),
      );
      expect(after).toEqual(before);
    },
  );
});

describe("masks that a nested model cannot take are refused", () => {
  const refusal = (message: string): unknown =>
    expect.objectContaining({ code: "bad-model", message: expect.stringContaining(message) });

  test("one that comes and one that is made inside", async () => {
    const inner = tf.sequential({ name: "inner" });
    inner.add(tf.layers.masking({ maskValue: 0, inputShape: [6, 4] }));
    inner.add(tf.layers.lstm({ units: 2 }));
    const x = words();
    const model = tf.model({ inputs: x, outputs: symbolic(inner, embedded(x)) });
    const message =
      'Expected at most one mask in a nested model, that of its first input, received 1 that come with inputs and 1 that are made inside at model "inner"';
    await expect(models.load(written(model))).rejects.toEqual(refusal(message));
  });

  test("one that comes with the second input", async () => {
    const [a, b] = [tf.input({ shape: [4] }), tf.input({ shape: [6, 4] })];
    const last = symbolic(tf.layers.lstm({ units: 4 }), b);
    const inner = tf.model({ inputs: [a, b], outputs: symbolic(tf.layers.add(), [a, last]), name: "inner" });
    const [x, y] = [words(), tf.input({ shape: [4] })];
    const model = tf.model({ inputs: [x, y], outputs: symbolic(inner, [y, embedded(x)]) });
    const message = "received 1 that come with inputs and 0 that are made inside";
    await expect(models.load(written(model))).rejects.toEqual(refusal(message));
  });

  test("one that comes in some calls only", async () => {
    const inner = tf.sequential({
      name: "inner",
      layers: [tf.layers.lstm({ units: 2, inputShape: [6, 4] })],
    });
    const [x, y] = [words(), tf.input({ shape: [6, 4] })];
    const both = [symbolic(inner, embedded(x)), symbolic(inner, y)];
    const model = tf.model({ inputs: [x, y], outputs: symbolic(tf.layers.add(), both) });
    const message =
      "Expected calls that agree on whether a mask comes, received masks with inputs [true] and [false]";
    await expect(models.load(written(model))).rejects.toEqual(refusal(message));
  });
});

test("a model of several outputs with masks of their own is read", async () => {
  const inputs = [words(), words()];
  const model = tf.model({ inputs, outputs: inputs.map(embedded) });
  const again = await models.load(written(model));
  expect(again.outputs.map(({ shape }) => shape)).toEqual(model.outputs.map(({ shape }) => shape));
});

test("a tensor that one operation of a graph takes twice is there for the next", async () => {
  const float = { dtype: { type: "DT_FLOAT" } };
  const node = (name: string, op: string, ...input: string[]) => ({
    ...{ name, op, input },
    attr:
      op === "Placeholder" ? { ...float, shape: { shape: { dim: [{ size: "-1" }, { size: "3" }] } } } : {},
  });
  const nodes = [
    node("x", "Placeholder"),
    node("relu", "Relu", "x"),
    node("square", "Mul", "relu", "relu"),
    node("sum", "AddV2", "relu", "square"),
  ];
  const json = { format: "graph-model", modelTopology: { node: nodes }, weightsManifest: [] };
  const model = await models.load(file("model.json", JSON.stringify(json)));
  const y = model.predict(tf.tensor2d([[-1, 2, 3]])) as tf.Tensor;
  expect([...y.dataSync()]).toEqual([0, 6, 12]);
});
