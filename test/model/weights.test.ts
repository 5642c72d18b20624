import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { models } from "../../sdk/model/index.js";
import { unpacked } from "./files.js";

interface Expected {
  readonly params: number;
  readonly outputs: readonly (readonly number[])[];
}

/** The inputs of weights.py. */
function inputs(model: tf.LayersModel): tf.Tensor[] {
  return model.inputs.map(({ shape, dtype }) => {
    const sizes = [2, ...(shape.slice(1) as number[])];
    const size = sizes.reduce((a, b) => a * b, 1);
    const value = dtype === "int32" ? (i: number) => i % 5 : Math.sin;
    return tf.tensor(
      Array.from({ length: size }, (_, i) => value(i)),
      sizes,
      dtype,
    );
  });
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
