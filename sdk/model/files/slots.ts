import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import { isGiven } from "../initializers.js";
import { isWhole, type NumberName } from "./numbers.js";

type Layer = tf.layers.Layer;
type Variable = tf.LayersModel["weights"][number];

/** A place for one tensor in a model: where it stands and what it is called there. */
export interface Slot {
  /** Layers from the outside in, then the weight: "stem/conv/kernel". */
  readonly name: string;
  /** The layer that owns it. */
  readonly leaf: string;
  /** Its name in that layer: "kernel", or "query/kernel" where Keras keeps a layer inside. */
  readonly weight: string;
  readonly variable: Variable;
}

/** A tensor of a file. */
export interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: NumberName;
  /** Reads the values. The caller disposes of the tensor. */
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
  const known = new Set(found.map(({ variable }) => variable.id));
  // A Bidirectional lists the weights of its halves as its own, a model those of its layers.
  for (const variable of layer.weights.filter(({ id }) => !known.has(id))) {
    const weight = nameInside(layer, variable);
    found.push({ name: [...trail, weight].join("/"), leaf: trail.at(-1) ?? layer.name, weight, variable });
  }
  return [...new Map(found.map((slot) => [slot.variable.id, slot])).values()];
}

/**
 * Where Keras keeps the sublayers of a layer that is flat here: their names to the attributes that hold them. A weight of
 * theirs is called "<sublayer>/<weight>".
 */
export function partsOf(layer: Layer): Readonly<Record<string, string>> {
  return (layer.constructor as { readonly parts?: Readonly<Record<string, string>> }).parts ?? {};
}

/** The name of a variable in its layer. What stands before it is sometimes the layer, sometimes what holds the layer. */
function nameInside(layer: Layer, { originalName }: Variable): string {
  const [weight, owner = ""] = originalName.split("/").reverse();
  return owner in partsOf(layer) ? `${owner}/${weight}` : weight!;
}

/** What Keras 3 calls a weight to which its layer gave no name. */
const NAMELESS = "variable";

/** Keras 3 calls a depthwise kernel plainly a kernel, and numbers nameless weights through the program. */
const plain = (weight: string): string =>
  weight.replace(/^depthwise_kernel$/, "kernel").replace(/^variable_\d+$/, NAMELESS);
const pathOf = (name: string): readonly string[] => name.replace(/:\d+$/, "").split("/");

/** Whether `inner` stands in `outer` in its order, if not side by side. */
function threads(inner: readonly string[], outer: readonly string[]): boolean {
  let at = 0;
  for (const name of outer) if (name === inner[at]) at++;
  return at === inner.length;
}

/**
 * Each names a tensor for a slot, or not, the last part of whose names agree. What an earlier row has matched is out of
 * the later rows' reach.
 */
const ROWS = {
  place: (slot, path) => path.join("/") === slot.name,
  name: (slot, path) => path.join("/") === slot.variable.originalName,
  trail: (slot, path) => threads(pathOf(slot.name), path),
  owner: (slot, path) => endsWith(path, slot.weight) && path.slice(0, -1).includes(slot.leaf),
  order: (slot, path) => endsWith(path, slot.weight),
} as const satisfies Readonly<Record<string, (slot: Slot, path: readonly string[]) => boolean>>;

function endsWith(path: readonly string[], weight: string): boolean {
  const [last, ...owners] = weight.split("/").reverse();
  const [name, ...others] = [...path].reverse();
  return plain(name!) === plain(last!) && owners.every((owner, i) => others[i] === owner);
}

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
  const left = new Map<string, Map<Entry, readonly string[]>>();
  const kind = (path: readonly string[]): string => plain(path.at(-1)!);
  for (const entry of entries) {
    const path = pathOf(entry.name);
    if (!left.has(kind(path))) left.set(kind(path), new Map());
    left.get(kind(path))!.set(entry, path);
  }
  for (const row of rows) {
    for (const slot of free) {
      const alike = left.get(kind(pathOf(slot.weight)));
      if (pairs.has(slot) || !alike) continue;
      for (const [entry, path] of alike) {
        if (!ROWS[row](slot, path)) continue;
        pairs.set(slot, entry);
        alike.delete(entry);
        break;
      }
    }
  }
  const nameless = rows.includes("order") ? left.get(NAMELESS) : undefined;
  const without = free.filter((slot) => !pairs.has(slot));
  for (const [i, entry] of [...(nameless?.keys() ?? [])].slice(0, without.length).entries()) {
    pairs.set(without[i]!, entry);
    nameless!.delete(entry);
  }
  const missing = free.filter((slot) => !pairs.has(slot) && !isGiven(slot.variable)).map((slot) => slot.name);
  const surplus = new Set([...left.values()].flatMap((alike) => [...alike.keys()]));
  refuseLeftovers(
    missing,
    entries.filter((entry) => surplus.has(entry)).map(({ name }) => name),
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
 * @throws AutoqnnError `bad-model` naming the weight, when a shape or a type of numbers does not fit; nothing is written then.
 */
export function assign(pairs: Pairs, where: string): void {
  for (const [slot, entry] of pairs) checkFit(slot, entry, where);
  for (const [slot, entry] of pairs) {
    tf.tidy(() => {
      const value = entry.tensor();
      slot.variable.write(value.dtype === slot.variable.dtype ? value : value.cast(slot.variable.dtype));
    });
  }
}

function checkFit(slot: Slot, { name, shape, dtype }: Entry, where: string): void {
  const { shape: expected } = slot.variable;
  if (shape.join() !== expected.join()) {
    const received = `[${shape.join(", ")}] in "${name}"`;
    const hint = "Save topology and weights of the same model together.";
    throw badModel(`shape [${expected.join(", ")}] for ${slot.name}`, received, where, hint);
  }
  // Counters are whole where tfjs has float32; anything larger is codes that mean nothing without their scales.
  if (isWhole(dtype) && slot.variable.dtype === "float32" && shape.length > 0) {
    const hint = "Save the model before it is quantized by Keras: this project quantizes float weights.";
    throw badModel(`float numbers for ${slot.name}`, `${dtype} in "${name}"`, where, hint);
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
