import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { autoqnn, pretrain, type QuantizedModel } from "../../sdk/index.js";
import { blobData, smallNetwork } from "./blobs.js";

let model: tf.LayersModel;
const data = blobData();
const options = { data, seed: 5, batchSize: 32 };

beforeAll(async () => {
  model = smallNetwork();
  await pretrain(model, data, { epochs: 12, batchSize: 32, learningRate: 0.01 });
});

describe("batch normalization, when an artifact is made,", () => {
  /** The network with averages that fit another. */
  const spoiled = (): tf.LayersModel => {
    const network = smallNetwork();
    network.setWeights(model.getWeights());
    const [gamma, beta] = network.getLayer("one_bn").getWeights() as [tf.Tensor, tf.Tensor];
    network.getLayer("one_bn").setWeights([gamma, beta, tf.fill([6], 3), tf.fill([6], 50)]);
    return network;
  };
  const moments = (quantized: QuantizedModel): string =>
    String(quantized.leftAlone.filter(({ id }) => id.startsWith("one_bn/moving")).map(({ id }) => id));
  const probabilities = (quantized: QuantizedModel): Float32Array => {
    const x = tf.randomUniform([40, 6, 6, 1], 0, 1, "float32", 4);
    return quantized.predict(x).dataSync() as Float32Array;
  };

  test("is kept as it is where that is asked for, after a fine-tune, and without data to compare by", async () => {
    const { train } = data;
    for (const quantized of [
      await autoqnn(model, options).generate({ batchNormalization: "keep" }),
      await autoqnn(model, options).fineTune({ steps: 2, reestimate: 1 }).generate(),
      await autoqnn(model).generate(),
      await autoqnn(spoiled(), { ...options, data: { train } }).generate(),
    ]) {
      expect(quantized.batchNormalizations).toEqual([{ layer: "one_bn", reason: "kept as it is" }]);
      expect(moments(quantized)).toBe("one_bn/moving_mean,one_bn/moving_variance");
      expect(quantized.provenance.generation).toMatchObject({ folded: false });
      expect(quantized.provenance.generation).not.toHaveProperty("reestimate");
    }
  });

  test("is otherwise kept or re-estimated, whichever has the lower loss on held-out data", async () => {
    const settle = async (network: tf.LayersModel) => {
      const plan = autoqnn(network, { ...options, exclude: ["*/input"], pin: { "*/kernel": { bits: 2 } } });
      const [kept, fresh, chosen] = [
        await plan.generate({ batchNormalization: "keep" }),
        await plan.generate({ batchNormalization: "reestimate" }),
        await plan.generate(),
      ];
      const better = [kept, fresh].map((quantized) => quantized.evaluate(data.validation));
      const [before, after] = await Promise.all(better);
      return { chosen, before: before!.loss, after: after!.loss, kept, fresh };
    };
    const mended = await settle(spoiled());
    expect(mended.after).toBeLessThan(mended.before);
    expect(probabilities(mended.chosen)).toEqual(probabilities(mended.fresh));
    expect(mended.chosen.provenance.generation).toEqual({ folded: false, reestimate: 100 });
    const loss = new RegExp(`loss on held-out data of ${mended.after.toFixed(4)}`);
    expect(mended.chosen.batchNormalizations).toEqual([
      { layer: "one_bn", reason: expect.stringMatching(loss) },
    ]);
    // The network's own averages may be as good.
    const best = await settle(model);
    const expected = best.after < best.before ? best.fresh : best.kept;
    expect(probabilities(best.chosen)).toEqual(probabilities(expected));
  });

  test("is folded, with and without data, after any stage", async () => {
    const untrained = autoqnn(model, { perChannel: false });
    for (const plan of [untrained, autoqnn(model, options).fineTune({ steps: 4, reestimate: 2 })]) {
      const [kept, folded] = [await plan.generate(), await plan.generate({ batchNormalization: "fold" })];
      expect(folded.batchNormalizations).toEqual([{ layer: "one_bn", into: "one" }]);
      expect(moments(folded)).toBe("");
      expect(folded.sizes.packedBytes).toBe(kept.sizes.packedBytes);
      expect(folded.sizes.floatingBytes).toBe(kept.sizes.floatingBytes - 4 * 2 * 6);
      const [ours, theirs] = [probabilities(folded), probabilities(kept)];
      const near = ours.filter((p, i) => Math.abs(p - theirs[i]!) < 1e-4);
      expect(near.length).toBeGreaterThanOrEqual(0.95 * theirs.length);
    }
  });

  test("is re-estimated from data, which mends averages that fit another network", async () => {
    const plan = autoqnn(spoiled(), { ...options, exclude: ["*/input"], pin: { "*/kernel": { bits: 2 } } });
    const fresh = await plan.generate({ batchNormalization: "reestimate" });
    expect(fresh.batchNormalizations).toEqual([{ layer: "one_bn", reason: "re-estimated" }]);
    const kept = await plan.generate({ batchNormalization: "keep" });
    const [before, after] = [await kept.evaluate(data.test), await fresh.evaluate(data.test)];
    expect(before.accuracy).toBeLessThan(0.7);
    expect(after.accuracy).toBeGreaterThan(0.9);
    const folded = await plan.generate({ batchNormalization: "reestimate-and-fold" });
    expect(folded.batchNormalizations).toEqual([{ layer: "one_bn", into: "one" }]);
    expect((await folded.evaluate(data.test)).loss).toBeCloseTo(after.loss, 3);
  });

  test("is as a fine-tune left it when it is re-estimated from the same batches once more", async () => {
    const plan = autoqnn(model, options).fineTune({ steps: 4, reestimate: 5 });
    const [once, twice] = [
      await plan.generate(),
      await plan.generate({ batchNormalization: "reestimate", reestimate: 5 }),
    ];
    expect(probabilities(twice)).toEqual(probabilities(once));
  });
});
