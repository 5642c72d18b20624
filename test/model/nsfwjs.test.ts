import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { engine } from "../../sdk/engine/index.js";
import { autoqnn, datasets, load, models } from "../../sdk/index.js";
import { directory } from "./files.js";
import { all, unpacked } from "./nsfwjs.js";

const IMAGES = fileURLToPath(new URL("images", import.meta.url));

beforeAll(() => engine());

/** |actual - expected| / |expected|, over all values together. */
function relativeError(actual: tf.Tensor, expected: tf.Tensor): number {
  const error = tf.div(tf.norm(tf.sub(actual, expected)), tf.norm(expected));
  return error.dataSync()[0]!;
}

const classes = (y: tf.Tensor): number[] => [...tf.argMax(y, -1).dataSync()];

describe("a trained network, loaded unchanged", () => {
  test.each([
    ["MobileNetV2", 224],
    ["InceptionV3", 299],
  ] as const)(
    "%s in 8 bits, with four images to calibrate, agrees with itself",
    async (name, size) => {
      const model = await models.load(await unpacked(name, directory()));
      const { train, test } = await datasets.imageFolder(IMAGES, { size });
      const quantized = await autoqnn(model, {
        data: { train },
        batchSize: 4,
      }).generate();
      const kernels = model.weights.filter(({ shape }) => shape.length > 1);
      expect(quantized.nodes.filter(({ kind }) => kind === "weight")).toHaveLength(kernels.length);
      const x = tf.concat([await all(test), await all(train)]);
      const [ours, theirs] = [quantized.predict(x) as tf.Tensor, model.predict(x) as tf.Tensor];
      expect(classes(ours)).toEqual(classes(theirs));
      expect(relativeError(ours, theirs)).toBeLessThan(0.01);
      model.dispose();
    },
    120_000,
  );

  // Batch normalization is folded into its kernels, and its weights were rounded to 256 values a tensor before they were
  // published. One scale per tensor is then too coarse, and errors that a channel shares add up: both parts are needed.
  test("a graph model in 8 bits, with a scale per channel and corrected biases, agrees with itself", async () => {
    const model = await models.load(await unpacked("graph", directory()));
    const { train, test } = await datasets.imageFolder(IMAGES, { size: 224 });
    const x = tf.concat([await all(test), await all(train)]);
    const theirs = model.predict(x) as tf.Tensor;
    const outputs = async (perChannel: boolean, biasCorrection: boolean, batchSize = 1) => {
      const pin = { "*": { scheme: "fixed", bits: 8 } } as const;
      const plan = autoqnn(model, { data: { train }, batchSize, perChannel, pin });
      const quantized = await plan.generate({ biasCorrection });
      const corrected = biasCorrection ? { correctedBiases: 53 } : {};
      expect(quantized.provenance.generation).toEqual({ folded: false, ...corrected });
      return quantized.predict(x) as tf.Tensor;
    };
    for (const ours of [await outputs(true, true), await outputs(true, true, 4)]) {
      expect(classes(ours)).toEqual(classes(theirs));
      expect(relativeError(ours, theirs)).toBeLessThan(0.01);
    }
    for (const other of [await outputs(true, false), await outputs(false, true)])
      expect(relativeError(other, theirs)).toBeGreaterThan(0.03);
    model.dispose();
  }, 120_000);

  test("a graph model agrees with itself without an option, however the data is cut into batches", async () => {
    const model = await models.load(await unpacked("graph", directory()));
    const { train, test } = await datasets.imageFolder(IMAGES, { size: 224 });
    const x = tf.concat([await all(test), await all(train)]);
    const theirs = model.predict(x) as tf.Tensor;
    const plan = (batchSize: number, seed: number) => autoqnn(model, { data: { train }, batchSize, seed });
    const cut = [await plan(1, 0).generate(), await plan(4, 1).generate()];
    for (const each of cut) {
      const ours = each.predict(x) as tf.Tensor;
      expect(classes(ours)).toEqual(classes(theirs));
      // Inputs in 8 bits alone, weights in floating point, move the outputs by 0.6 to 1.6 %, as chance has it.
      expect(relativeError(ours, theirs)).toBeLessThan(0.02);
    }
    const [ranges, others] = cut.map(({ nodes }) =>
      nodes.flatMap(({ kind, staircase }) => (kind === "input" ? [staircase.levels.at(-1)!] : [])),
    );
    for (const [i, level] of ranges!.entries()) expect(level / others![i]!).toBeCloseTo(1, 4);

    const out = directory();
    await cut[0]!.save(out);
    const again = (await load(out)).predict(x) as tf.Tensor;
    expect(again.dataSync()).toEqual((cut[0]!.predict(x) as tf.Tensor).dataSync());
    model.dispose();
  }, 120_000);

  test("a graph model computes what tfjs's own executor does, as a file and as a GraphModel", async () => {
    const path = await unpacked("graph", directory());
    const executor = await tf.loadGraphModel(tf.io.fromMemory(artifactsAt(path)));
    const model = await models.load(path);
    const { train, test } = await datasets.imageFolder(IMAGES, { size: 224 });
    const x = tf.concat([await all(test), await all(train)]);
    const expected = executor.predict(x) as tf.Tensor;
    expect(relativeError(model.predict(x) as tf.Tensor, expected)).toBeLessThan(1e-5);

    const plans = [model, executor].map((own) => autoqnn(own, { data: { train }, batchSize: 4 }));
    const [fromFile, fromExecutor] = plans.map(({ graph }) => graph.nodes.map(({ id, macs }) => [id, macs]));
    expect(fromExecutor).toEqual(fromFile);
    const weights = plans[0]!.graph.nodes.filter(({ kind }) => kind === "weight");
    // 35 convolutions, 17 depthwise ones, one dense layer.
    expect(weights).toHaveLength(53);
    expect(weights.every(({ macs }) => macs > 0)).toBe(true);

    const quantized = await plans[1]!.generate();
    const out = directory();
    await quantized.save(out);
    const again = (await load(out)).predict(x) as tf.Tensor;
    expect(again.dataSync()).toEqual((quantized.predict(x) as tf.Tensor).dataSync());
    model.dispose();
    executor.dispose();
  }, 120_000);
});

/** The files as tfjs's reader takes them from memory. */
function artifactsAt(path: string): tf.io.ModelArtifacts {
  const json = JSON.parse(readFileSync(`${path}/model.json`, "utf8"));
  const [{ paths, weights }] = json.weightsManifest;
  const bytes = Buffer.concat(paths.map((shard: string) => readFileSync(`${path}/${shard}`)));
  return { ...json, weightSpecs: weights, weightData: new Uint8Array(bytes).buffer };
}
