import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { models } from "../../sdk/model/index.js";
import { unpacked } from "./files.js";

const refusal = (message: RegExp, hint = /./): unknown =>
  expect.objectContaining({
    code: "bad-model",
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });

/** What kinds.py's layer computes for ones: kernel 4 by 3 of i / 8 - 0.5, bias i / 4. */
const computed = (model: tf.LayersModel): Float32Array =>
  (model.predict(tf.ones([1, 4])) as tf.Tensor).dataSync() as Float32Array;
const EXACT = [0.25, 1, 1.75];

describe("a SavedModel", () => {
  test("is read as TensorFlow 2.4 laid it out", async () => {
    const model = await models.load(join(unpacked("kinds"), "older"));
    expect([...computed(model)]).toEqual(EXACT);
  });

  test.each([
    ["subclassed", /Sequential or functional model, received "Own" \(_tf_keras_model\)/],
    ["module", /received functions alone.* of TensorFlow 2\./],
    ["exported", /received functions alone.* of TensorFlow 2\./],
    ["one", /received a graph of operations alone, as TensorFlow 1 writes it/],
  ])("without layers is refused: %s", async (name, message) => {
    const path = join(unpacked("kinds"), name);
    await expect(models.load(path)).rejects.toEqual(refusal(message, /model\.save\("model\.keras"\)/));
  });

  test("is refused with a byte of its weights turned, a shard cut or a shard gone", async () => {
    const path = join(unpacked("weights/nesting"), "saved");
    const variables = join(path, "variables");
    const shard = join(variables, readdirSync(variables).find((name) => name.includes(".data-00000-of-"))!);
    const bytes = readFileSync(shard);
    const before = tf.memory().numTensors;
    writeFileSync(
      shard,
      bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte)),
    );
    await expect(models.load(path)).rejects.toEqual(refusal(/an undamaged .*checksum/));
    writeFileSync(shard, bytes.subarray(0, -1));
    await expect(models.load(path)).rejects.toEqual(refusal(/tensors within their shards/));
    rmSync(shard);
    await expect(models.load(path)).rejects.toMatchObject({ code: "bad-file" });
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("numbers of Keras files", () => {
  test.each(["float16", "bfloat16", "float64"])("of type %s are read exactly", async (dtype) => {
    const path = unpacked("kinds");
    for (const suffix of ["h5", "keras"]) {
      expect([...computed(await models.load(join(path, `${dtype}.${suffix}`)))]).toEqual(EXACT);
    }
  });

  test("of Keras's own quantization are refused", async () => {
    await expect(models.load(join(unpacked("kinds"), "int8.keras"))).rejects.toEqual(
      refusal(/QuantizedDTypePolicy.* at layer "d"/, /before Keras quantizes it/),
    );
  });

  test("of LoRA are taken where Keras merged them, and refused beside the kernel", async () => {
    const path = unpacked("kinds");
    // 4 inputs of 1, each times 2 ranks of 0.5 * 0.25.
    const model = await models.load(join(path, "lora.keras"));
    expect([...computed(model)]).toEqual(EXACT.map((value) => value + 1));
    await expect(models.load(join(path, "lora.h5"))).rejects.toEqual(
      refusal(/lora_kernel_a.*lora_kernel_b that no layer has at layer "d"/),
    );
  });
});
