import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import { badModel } from "./badModel.js";

type Layer = tf.layers.Layer;
type Variable = tf.LayersModel["weights"][number];

/** A place for one tensor in a model: where it stands and what it is called there. */
export interface Slot {
  /** Layers from the outside in, then the weight: "stem/conv/kernel". */
  readonly name: string;
  /** The layer that owns it. */
  readonly leaf: string;
  /** Its name in that layer: "kernel". */
  readonly weight: string;
  readonly variable: Variable;
}

/** A tensor of a file. */
export interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  tensor(): tf.Tensor;
}

/** A value for each slot. */
export type Pairs = ReadonlyMap<Slot, Entry>;

/** Where layers keep the layers inside them, with the names that .keras files use. */
const NESTS = [
  ["layers", "layers"],
  ["forwardLayer", "forward_layer"],
  ["backwardLayer", "backward_layer"],
  ["layer", "layer"],
  ["cell", "cell"],
  ["cells", "cells"],
] as const;

/** The layers directly inside `layer`. A Bidirectional's halves hide the layer that they were made from. */
export function inside(
  layer: Layer,
): readonly { readonly place: string; readonly layers: readonly Layer[] }[] {
  const held = layer as unknown as Readonly<Record<string, Layer | Layer[] | undefined>>;
  const nests = NESTS.filter(([key]) => held[key] && !(key === "layer" && held.forwardLayer));
  return nests.map(([key, place]) => ({ place, layers: [held[key]!].flat() }));
}

/** Every weight of `layer`, which stands at `trail`, once: layer by layer, each layer's own order. */
export function slots(layer: Layer, trail: readonly string[] = []): readonly Slot[] {
  const nests = inside(layer);
  const found = nests.flatMap(({ place, layers }) =>
    // Files name a recurrent layer's only cell, or not, or otherwise.
    layers.flatMap((each) => slots(each, place === "cell" ? trail : [...trail, each.name])),
  );
  const nested = new Set(found.map(({ variable }) => variable.id));
  for (const variable of layer.weights.filter(({ id }) => !nested.has(id))) {
    const weight = variable.originalName.split("/").at(-1)!;
    found.push({ name: [...trail, weight].join("/"), leaf: trail.at(-1) ?? layer.name, weight, variable });
  }
  return [...new Map(found.map((slot) => [slot.variable.id, slot])).values()];
}

/** Keras 3 calls a depthwise kernel plainly a kernel. */
const plain = (weight: string): string => weight.replace(/^depthwise_kernel$/, "kernel");
const path = (entry: Entry): readonly string[] => entry.name.replace(/:\d+$/, "").split("/");

/** Each names a tensor for a slot, or not. What an earlier row has matched is out of the later rows' reach. */
const ROWS: Readonly<Record<"name" | "owner" | "order", (slot: Slot, entry: Entry) => boolean>> = {
  name: (slot, entry) => path(entry).join("/") === slot.variable.originalName,
  owner: (slot, entry) => {
    const [weight, ...owners] = [...path(entry)].reverse();
    return plain(weight!) === plain(slot.weight) && owners.includes(slot.leaf);
  },
  order: (slot, entry) => plain(path(entry).at(-1)!) === plain(slot.weight),
};

/**
 * Finds each slot its tensor, by the given rows.
 *
 * @throws AutoqnnError `bad-model` naming slots without a tensor and tensors without a slot.
 */
export function match(
  free: readonly Slot[],
  entries: readonly Entry[],
  rows: readonly (keyof typeof ROWS)[],
  where: string,
): Pairs {
  const pairs = new Map<Slot, Entry>();
  const left = new Set(entries);
  for (const row of rows) {
    for (const slot of free) {
      const entry = pairs.has(slot) ? undefined : [...left].find((each) => ROWS[row](slot, each));
      if (!entry) continue;
      pairs.set(slot, entry);
      left.delete(entry);
    }
  }
  const missing = free.filter((slot) => !pairs.has(slot)).map((slot) => slot.name);
  refuseLeftovers(
    missing,
    [...left].map((entry) => entry.name),
    where,
  );
  return pairs;
}

export function refuseLeftovers(missing: readonly string[], surplus: readonly string[], where: string): void {
  if (missing.length === 0 && surplus.length === 0) return;
  const list = (names: readonly string[]): string =>
    `${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
  const received = [
    ...(missing.length > 0 ? [`none for ${list(missing)}`] : []),
    ...(surplus.length > 0 ? [`${list(surplus)} that no layer has`] : []),
  ].join(" and ");
  throw badModel(
    "one tensor for each weight",
    received,
    where,
    "Save topology and weights of the same model together.",
  );
}

/**
 * Writes the values into the model.
 *
 * @throws AutoqnnError `bad-model` naming the weight, when a shape differs; nothing is written then.
 */
export function assign(pairs: Pairs, where: string): void {
  for (const [slot, { name, shape }] of pairs) {
    if (shape.join() === slot.variable.shape.join()) continue;
    const received = `[${shape.join(", ")}] in "${name}"`;
    const hint = "Save topology and weights of the same model together.";
    throw badModel(`shape [${slot.variable.shape.join(", ")}] for ${slot.name}`, received, where, hint);
  }
  for (const [slot, entry] of pairs) {
    tf.tidy(() => {
      const value = entry.tensor();
      slot.variable.write(value.dtype === slot.variable.dtype ? value : value.cast(slot.variable.dtype));
    });
  }
}

/**
 * Refuses weights that are not numbers.
 *
 * @throws AutoqnnError `bad-model` naming the first weight that holds NaN or an infinity.
 * @example
 * checkWeights(model); // before it is quantized
 */
export function checkWeights(model: tf.LayersModel): void {
  for (const { name, variable } of slots(model)) {
    const values = variable.read();
    if (values.dtype !== "float32") continue;
    if (tf.tidy(() => tf.all(tf.isFinite(values)).dataSync()[0])) continue;
    const all = values.dataSync();
    const wrong = all.findIndex((value) => !Number.isFinite(value));
    throw new AutoqnnError(
      "bad-model",
      `Expected finite weights, received ${all[wrong]} at ${name}, element ${wrong}.`,
      "Train the model again with a smaller learning rate, or repair the file.",
    );
  }
}
