import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { strToU8, zipSync } from "fflate";
import type { Group } from "h5wasm";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import { AutoqnnError } from "../../sdk/errors.js";
import { models } from "../../sdk/model/index.js";
import { slots } from "../../sdk/model/slots.js";
import { file, hdf5, put, unpacked } from "./files.js";

/** Ways in which a file is damaged. */
const DAMAGES: Readonly<Record<string, (bytes: Buffer, random: () => number) => Buffer>> = {
  cut: (bytes, random) => bytes.subarray(0, Math.floor(random() * bytes.length)),
  "turned bits": (bytes, random) => {
    for (let i = 0; i < 1 + random() * 8; i++)
      bytes[Math.floor(random() * bytes.length)]! ^= 1 << (random() * 8);
    return bytes;
  },
  "turned bits at the start": (bytes, random) => {
    for (let i = 0; i < 4; i++)
      bytes[Math.floor(random() * Math.min(2048, bytes.length))]! ^= 1 << (random() * 8);
    return bytes;
  },
  "large numbers": (bytes, random) => {
    const at = Math.floor(random() * Math.max(1, bytes.length - 8));
    return bytes.fill(random() < 0.5 ? 0xff : 0x7f, at, at + 1 + Math.floor(random() * 8));
  },
  "a part moved": (bytes, random) => {
    const [from, to] = [random(), random()].map((share) => Math.floor(share * bytes.length)) as [
      number,
      number,
    ];
    bytes.copy(bytes, to, from, from + Math.floor(random() * 512));
    return bytes;
  },
};

const TIMES = 12;

describe("a damaged file gives a model or a clear error, in time and without leftovers", () => {
  test.each([
    ["weights/nesting", "keras2.h5", "keras2.h5"],
    ["weights/nesting", "keras3.h5", "keras3.h5"],
    ["weights/nesting", "keras3.keras", "keras3.keras"],
    ["weights/nesting", "saved/variables/variables.index", "saved"],
    ["weights/nesting", "saved/keras_metadata.pb", "saved"],
    ["kinds", "older/saved_model.pb", "older"],
    ["kinds", "older/variables/variables.data-00000-of-00001", "older"],
  ])("%s, %s", { timeout: 120_000 }, async (zip, name, location) => {
    const made = unpacked(zip);
    const whole = readFileSync(join(made, name));
    const values = async (): Promise<unknown> =>
      (await models.load(join(made, location))).getWeights().map((weight) => [...weight.dataSync()]);
    const expected = await values();
    const random = seedrandom(name);
    for (const [damage, apply] of Object.entries(DAMAGES)) {
      for (let time = 0; time < TIMES; time++) {
        writeFileSync(join(made, name), apply(Buffer.from(whole), random));
        const before = tf.memory().numTensors;
        const start = performance.now();
        const what = `${damage} ${time} of ${name}`;
        try {
          const model = await models.load(join(made, location));
          for (const { variable } of slots(model)) variable.dispose();
        } catch (error) {
          if (!(error instanceof AutoqnnError))
            throw new Error(`${what}: ${String(error)}`, { cause: error });
          expect(["bad-file", "bad-model"]).toContain(error.code);
          expect([what, tf.memory().numTensors]).toEqual([what, before]);
        }
        expect(performance.now() - start).toBeLessThan(10_000);
      }
    }
    // What the reader of HDF5 went through must not show afterwards.
    writeFileSync(join(made, name), whole);
    expect(await values()).toEqual(expected);
  });
});

describe("a file that asks for too much is refused before it is given", () => {
  const refusal = (message: RegExp): unknown =>
    expect.objectContaining({ code: "bad-model", message: expect.stringMatching(message) });
  const dense = {
    class_name: "Sequential",
    config: {
      name: "made",
      layers: [{ class_name: "Dense", config: { name: "d", units: 1, batch_input_shape: [null, 2] } }],
    },
  };

  test("an archive of zeros a thousand times its size", async () => {
    const weights = new Uint8Array(2 ** 27);
    const packed = zipSync({ "config.json": strToU8(JSON.stringify(dense)), "model.weights.h5": weights });
    // Declared as small as the directory of the archive allows, so that only unpacking finds out.
    const bytes = Buffer.from(packed);
    const directory = bytes.lastIndexOf(Buffer.from("PK\x01\x02", "latin1"));
    bytes.writeUInt32LE(1000, directory + 24);
    await expect(models.load(file("bomb.keras", bytes))).rejects.toEqual(refusal(/undamaged archive/));
    bytes.writeUInt32LE(2 ** 31, directory + 24);
    await expect(models.load(file("bomb.keras", bytes))).rejects.toEqual(refusal(/packed bytes can hold/));
  });

  test("links of HDF5 out of the file, and in circles", async () => {
    const bytes = await hdf5((root) => {
      root.create_attribute("model_config", JSON.stringify(dense));
      const weights = root.create_group("model_weights");
      weights.create_attribute("layer_names", ["d"]);
      const layer = weights.create_group("d");
      layer.create_attribute("weight_names", ["d/kernel:0", "d/bias:0"]);
      put(layer, "d/bias:0", [1], [1]);
      (layer.get("d") as Group).create_external_link("/etc/passwd", "/", "kernel:0");
      layer.create_hard_link("/model_weights", "again");
      layer.create_soft_link("/model_weights/d/round", "round");
    });
    await expect(models.load(file("links.h5", bytes))).rejects.toEqual(
      refusal(/^Expected an undamaged HDF5 file, received "[^"\n]+" at/),
    );
  });
});
