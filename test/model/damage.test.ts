import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { strToU8, zipSync } from "fflate";
import type { Group } from "h5wasm";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import { AutoqnnError } from "../../sdk/errors.js";
import { slots } from "../../sdk/model/files/slots.js";
import { models } from "../../sdk/model/index.js";
import { directory, file, hdf5, put, unpacked } from "./files.js";
import { caseOf, written } from "./graphCase.js";

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

/** A word of a weights manifest, and what it is exchanged for. */
const WORDS: readonly unknown[] = [
  ...[null, true, 0, -1, 0.5, 7, 2 ** 31, 2 ** 53, "", "x", "__proto__", "../weights.bin", [], {}, [null]],
  ...["float32", "int32", "bool", "string", "complex64", "float16", "uint8", "optimizer"],
  ...[[2 ** 40], [2 ** 26, 2 ** 26], [0], [1, 1, 1]],
  ...["uint8", "uint16", "float16", "int8"].map((dtype) => ({ dtype, min: -1, scale: 0.1 })),
  ...[
    { dtype: "uint8" },
    { dtype: "uint16", min: null, scale: "x" },
    { dtype: "uint8", min: 0, scale: 1e39 },
  ],
];

/** `manifest` with one word of it left out, doubled, or exchanged for another, or with a quantization that it had not. */
function changed(manifest: unknown, random: () => number): unknown {
  type Parent = Record<string, unknown>;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const places = (value: unknown): readonly (readonly [Parent, string])[] =>
    typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => [[value as Parent, key] as const, ...places(inner)])
      : [];
  const copy = structuredClone(manifest);
  const [parent, key] = pick(places(copy));
  const way = pick(["leave out", "double", "exchange", "exchange", "quantize"] as const);
  if (way === "exchange") parent[key] = structuredClone(pick(WORDS));
  else if (way === "quantize" && "dtype" in parent) parent.quantization = structuredClone(pick(WORDS));
  else if (way === "double" && Array.isArray(parent))
    parent.splice(Number(key), 0, structuredClone(parent[Number(key)]));
  else if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return copy;
}

describe("a tfjs model with damaged weights is a model or is refused", () => {
  /** A model of several layers as tfjs writes it. */
  async function layers(): Promise<string> {
    const path = directory();
    const input = tf.input({ shape: [6, 6, 2] });
    const conv = tf.layers.conv2d({ filters: 5, kernelSize: 3 }).apply(input);
    const norm = tf.layers.batchNormalization().apply(conv);
    const flat = tf.layers.flatten().apply(norm);
    const outputs = tf.layers.dense({ units: 3 }).apply(flat) as tf.SymbolicTensor;
    await models.save(tf.model({ inputs: input, outputs }), path);
    return path;
  }

  const graph = async (name: string): Promise<string> => written(caseOf(name));
  const KINDS = [
    ["layers", layers],
    ["a graph", () => graph("a convolutional network, rewritten")],
    ["a graph that computes shapes", () => graph("a transformer, rewritten")],
  ] as const;

  /** The model of `make`, in shards whose borders lie inside weights. */
  async function sharded(make: () => Promise<string>) {
    const path = await make();
    const json = JSON.parse(readFileSync(join(path, "model.json"), "utf8"));
    const [group] = json.weightsManifest;
    const bytes = readFileSync(join(path, group.paths[0]));
    group.paths = ["1.bin", "2.bin", "3.bin"];
    const third = Math.ceil(bytes.length / 3) + 1;
    const parts = new Map<string, Buffer>(
      group.paths.map((name: string, i: number) => [name, bytes.subarray(i * third, (i + 1) * third)]),
    );
    const write = (manifest: unknown = json.weightsManifest): void => {
      for (const [name, part] of parts) writeFileSync(join(path, name), part);
      writeFileSync(join(path, "model.json"), JSON.stringify({ ...json, weightsManifest: manifest }));
    };
    const whole = (await models.load(path)).getWeights().map((weight) => [...weight.dataSync()]);
    write();
    return { path, parts, whole, manifest: json.weightsManifest as unknown, write };
  }

  /** Loads, and says whether it was refused. */
  async function refused(path: string, what: string): Promise<boolean> {
    const before = tf.memory().numTensors;
    const start = performance.now();
    const result: unknown = await models.load(path).catch((error: unknown) => error);
    expect(performance.now() - start, what).toBeLessThan(5000);
    if (result instanceof tf.LayersModel) {
      for (const { variable } of slots(result)) {
        expect([...variable.read().dataSync()].every(Number.isFinite), what).toBe(true);
        variable.dispose();
      }
      return false;
    }
    if (!(result instanceof AutoqnnError)) throw new Error(`${what}: ${String(result)}`, { cause: result });
    expect(["bad-file", "bad-model"], what).toContain(result.code);
    expect(tf.memory().numTensors, what).toBe(before);
    return true;
  }

  test.each(KINDS)("shards of %s cut, turned, moved and left out", { timeout: 120_000 }, async (_, make) => {
    const { path, parts, whole, write } = await sharded(make);
    const random = seedrandom("shards");
    for (const [name, part] of parts) {
      for (const [damage, apply] of Object.entries(DAMAGES)) {
        for (let time = 0; time < TIMES; time++) {
          write();
          writeFileSync(join(path, name), apply(Buffer.from(part), random));
          const what = `${damage} ${time} of ${name}`;
          const refusal = await refused(path, what);
          if (damage === "cut") expect(refusal, what).toBe(true);
        }
      }
      write();
      rmSync(join(path, name));
      expect(await refused(path, `without ${name}`)).toBe(true);
    }
    write();
    const again = (await models.load(path)).getWeights().map((weight) => [...weight.dataSync()]);
    expect(again).toEqual(whole);
  });

  test.each(KINDS)("the manifest of %s, a word changed", { timeout: 120_000 }, async (_, make) => {
    const { path, manifest, write } = await sharded(make);
    let refusals = 0;
    for (let seed = 0; seed < 400; seed++) {
      const other = changed(manifest, seedrandom(`manifest ${seed}`));
      write(other);
      if (await refused(path, `seed ${seed}: ${JSON.stringify(other)}`)) refusals++;
    }
    expect(refusals).toBeGreaterThan(200);
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
