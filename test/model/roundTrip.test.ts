import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { models } from "../../sdk/model/index.js";
import { directory, unpacked } from "./files.js";
import { inputs } from "./weights.js";

describe("models.save and models.load bring back bit by bit what Keras saved", () => {
  test.each(["convolutions", "normalizations", "recurrent", "attention", "nesting"])("%s", async (name) => {
    for (const file of ["keras2.keras", "keras3.keras", "saved"]) {
      const model = await models.load(join(unpacked(`weights/${name}`), file));
      const path = directory();
      await models.save(model, path);
      const again = await models.load(path);
      const values = (each: tf.LayersModel): unknown =>
        ([each.predict(inputs(each))].flat() as tf.Tensor[]).map((tensor) => tensor.dataSync());
      expect(values(again)).toEqual(values(model));
      expect(again.countParams()).toBe(model.countParams());
    }
  });
});
