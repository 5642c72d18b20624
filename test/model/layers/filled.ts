import * as tf from "@tensorflow/tfjs";
import { assign, match, slots } from "../../../sdk/model/files/slots.js";
import { models } from "../../../sdk/model/index.js";
import { file } from "../files.js";
import { unit, weightValues } from "../formula.js";
import type { LayerCase } from "./fixture.js";

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** The batch that cases.py gave to Keras. */
export function batchOf({ inputs, batch }: LayerCase): tf.Tensor[] {
  return inputs.map(({ shape, low, high, dtype }, n) => {
    const full = [batch, ...shape];
    const values = [...unit(`input:${n}`, product(full))].map((r) => low + (high - low) * r);
    return tf.tensor(dtype === "float32" ? values : values.map(Math.floor), full, dtype);
  });
}

/** The model, read from a file as Keras wrote it, its weights from the formula; and which weight is which variable. */
export async function loaded({ topology, weights }: LayerCase) {
  const model = await models.load(file("model.json", JSON.stringify(topology)));
  const entries = weights.map(({ name, shape }) => ({
    name,
    shape,
    dtype: "float32" as const,
    tensor: () => tf.tensor(weightValues(name, shape), [...shape]),
  }));
  const pairs = match(slots(model), entries, ["name", "owner", "order"], "the case");
  assign(pairs, "the case");
  const names = new Map([...pairs].map(([slot, entry]) => [slot.variable.id, entry.name]));
  return { model, names };
}
