import { readFileSync } from "node:fs";
import { join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { models } from "../../sdk/model/index.js";
import { unpacked } from "./files.js";
import { inputs } from "./weights.js";

interface Expected {
  readonly params: number;
  readonly outputs: readonly (readonly number[])[];
}

describe.each(["convolutions", "normalizations", "recurrent", "attention", "nesting"])(
  "weights of Keras: %s",
  (name) => {
    test.each(["keras2.h5", "keras2.keras", "keras3.h5", "keras3.keras", "saved"])("%s", async (file) => {
      const path = unpacked(`weights/${name}`);
      const expected: Readonly<Record<string, Expected>> = JSON.parse(
        readFileSync(join(path, "expected.json"), "utf8"),
      );
      const model = await models.load(join(path, file));
      const { params, outputs } = expected[file.split(".")[0]!]!;
      expect(model.countParams()).toBe(params);
      const computed = [model.predict(inputs(model))].flat() as tf.Tensor[];
      expect(computed).toHaveLength(outputs.length);
      computed.forEach((tensor, k) => {
        const values = tensor.dataSync();
        const far = outputs[k]!.findIndex(
          (value, i) => !(Math.abs(values[i]! - value) < 2e-5 * Math.max(1, Math.abs(value))),
        );
        const what = model.outputNames[k];
        expect(far < 0 ? "near" : `${what}[${far}] = ${values[far]}, not ${outputs[k]![far]}`).toBe("near");
      });
    });
  },
);
