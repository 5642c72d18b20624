import type * as tf from "@tensorflow/tfjs";
import { expect } from "vitest";
import { models } from "../../sdk/model/index.js";
import { file } from "./files.js";

export type Json = Record<string, unknown>;

export function layer(class_name: string, config: Json, more: Json = {}): Json {
  return { class_name, config, ...more };
}

export function sequential(...layers: Json[]): Json {
  return layer("Sequential", { name: "made", layers });
}

/** A functional model of Keras 2's form, from "in" to the last of `layers`. */
export function functional(...layers: Json[]): Json {
  const last = layers.at(-1)!.name;
  return layer("Functional", {
    name: "made",
    layers: [input, ...layers],
    input_layers: [["in", 0, 0]],
    output_layers: [[last, 0, 0]],
  });
}

export const input = layer(
  "InputLayer",
  { batch_input_shape: [null, 4, 4, 2], name: "in" },
  { name: "in", inbound_nodes: [] },
);

/** A tensor as Keras 3 writes it. */
export function tensor(name: string, call = 0): Json {
  return layer("__keras_tensor__", { shape: [null, 4], dtype: "float32", keras_history: [name, call, 0] });
}

export function load(topology: Json | string): Promise<tf.LayersModel> {
  const text = typeof topology === "string" ? topology : JSON.stringify(topology);
  return models.load(file("model.json", text));
}

/** Holds `topology` to be refused by a message that names what is wrong and where. */
export async function refused(topology: Json | string, message: RegExp): Promise<void> {
  await expect(load(topology)).rejects.toEqual(
    expect.objectContaining({ code: "bad-model", message: expect.stringMatching(message) }),
  );
}
