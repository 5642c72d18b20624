import type * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { type LayerConfig, layerConfig, layersOf, nameOf } from "../config.js";
import { isOperation } from "../topology/operation.js";
import { members } from "./archive.js";
import { type Bytes, copy } from "./bytes.js";
import { type Hdf5, withHdf5 } from "./hdf5.js";
import { isSeed, type ModelFile, parse } from "./modelFile.js";
import {
  assign,
  type Entry,
  inside,
  type Pairs,
  partsOf,
  refuseLeftovers,
  type Slot,
  slots,
} from "./slots.js";

const TOPOLOGY = "config.json";
const WEIGHTS = "model.weights.h5";

/** A .keras archive: config.json and model.weights.h5, whose groups follow the nesting of the layers. */
export async function keras(bytes: Bytes, location: string): Promise<ModelFile> {
  const found = await members(bytes, [TOPOLOGY, WEIGHTS], location);
  const [config, weights] = [TOPOLOGY, WEIGHTS].map((name) => {
    const member = found.get(name);
    if (member) return member;
    const hint = 'Save the model with model.save("model.keras").';
    throw badModel(`${name} in the archive`, [...found.keys()].join(", ") || "none", location, hint);
  }) as [Bytes, Bytes];
  const topology = parse(copy(config), `${TOPOLOGY} of ${location}`);
  const where = `${WEIGHTS} of ${location}`;
  const fill = (model: tf.LayersModel): Promise<void> =>
    withHdf5(weights, where, (file) =>
      assign(pairs(model, layerConfig(topology, location), file, where), where),
    );
  return { topology, elements: await withHdf5(weights, where, (file) => file.elements()), fill };
}

function pairs(model: tf.LayersModel, config: LayerConfig, file: Hdf5, where: string): Pairs {
  const found = new Map<Slot, Entry>();
  const used = new Set<string>();
  for (const { slot, path } of places(model, config, "", file, where)) {
    const entry = file.entry(path);
    if (slot && entry) found.set(slot, entry);
    used.add(path);
  }
  const filled = new Set([...found.keys()].map(({ variable }) => variable));
  const missing = slots(model).filter(({ variable }) => !filled.has(variable));
  const surplus = file
    .paths()
    .filter((path) => /^_?layer.*\/vars\/\d+$/.test(path) && !isSeed(path) && !used.has(path));
  refuseLeftovers(
    missing.map(({ name }) => name),
    surplus,
    where,
  );
  return found;
}

type Layer = tf.layers.Layer;

interface Place {
  /** None for a tensor that repeats another. */
  readonly slot: Slot | undefined;
  readonly path: string;
}

/** Where the archive keeps each weight of `layer`: in the group at `at`, its own in vars/0, vars/1 ... */
function places(
  layer: Layer,
  config: LayerConfig | undefined,
  at: string,
  file: Hdf5,
  where: string,
): readonly Place[] {
  const written = file.at(`${at}vars`)?.attrs.name?.value;
  if (config && typeof written === "string" && at !== "" && written !== layer.name) {
    throw badModel(
      `the weights of layer "${layer.name}"`,
      `those of "${written}"`,
      `${at} of ${where}`,
      "Save it again.",
    );
  }
  const nested = inside(layer).flatMap(({ place, layers }) => {
    if (place === "layers" && config) {
      // Keras writes operations among the layers of a topology, but numbers the groups of its layers alone.
      const configs = layersOf(config, where).filter((each) => !isOperation(each));
      const group = `${at}${file.at(`${at}${place}`) ? place : "_layer_checkpoint_dependencies"}/`;
      const groups = numbered(configs.map((each) => each.class_name));
      const byName = new Map(layers.map((each) => [each.name, each]));
      return configs.flatMap((each, i) => {
        const inner = byName.get(nameOf(each));
        return inner ? places(inner, each, `${group}${groups[i]}/`, file, where) : [];
      });
    }
    const groups =
      place === "cells"
        ? numbered(layers.map((each) => each.getClassName())).map((name) => `/${name}`)
        : [""];
    return layers.flatMap((each, i) => places(each, undefined, `${at}${place}${groups[i]}/`, file, where));
  });
  return [...nested, ...ownPlaces(layer, at, nested, file)];
}

/**
 * The weights of `layer` itself, and of the sublayers that are flat here. A wrapper that refers to a weight of its layer
 * lists that weight before its own, again.
 */
function ownPlaces(layer: Layer, at: string, nested: readonly Place[], file: Hdf5): readonly Place[] {
  const inner = new Set(nested.map(({ slot }) => slot?.variable));
  const own = slots(layer, [layer.name]).filter(({ variable }) => !inner.has(variable));
  const shapeAt = (number: number): string | undefined => file.entry(`${at}vars/${number}`)?.shape.join();
  const shapes = new Set(nested.map(({ slot }) => slot?.variable.shape.join()));
  const again: Place[] = [];
  if (own.length > 0) {
    while (shapeAt(own.length + again.length) !== undefined && shapes.has(shapeAt(again.length))) {
      again.push({ slot: undefined, path: `${at}vars/${again.length}` });
    }
  }
  // Keras 3 may have a public property for a private attribute, and visits that first.
  const attribute = (name: string): string => {
    const open = name.replace(/^_/, "");
    return `${file.at(`${at}${open}`) ? open : name}/`;
  };
  const counts = new Map([["", again.length]]);
  const parts = partsOf(layer);
  const places = own.map((slot) => {
    const owner = slot.weight.includes("/") ? attribute(parts[slot.weight.split("/")[0]!]!) : "";
    const number = counts.get(owner) ?? 0;
    counts.set(owner, number + 1);
    return { slot, path: `${at}${owner}vars/${number}` };
  });
  return [...again, ...places];
}

/** Classes that Keras exports, and writes into topologies, under another name than their own. */
const EXPORTED: Readonly<Record<string, string>> = { GroupQueryAttention: "GroupedQueryAttention" };

/** The names that Keras gives to the groups of a list: the class in snake case, numbered from its second use. */
function numbered(classes: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return classes.map((kind) => {
    const snake = (EXPORTED[kind] ?? kind)
      .replace(/\W+/g, "")
      .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
      .replace(/([a-z])([A-Z])/g, "$1_$2")
      .toLowerCase();
    const count = seen.get(snake) ?? 0;
    seen.set(snake, count + 1);
    return count === 0 ? snake : `${snake}_${count}`;
  });
}
