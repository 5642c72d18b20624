import type * as tf from "@tensorflow/tfjs";
import { strFromU8, unzipSync } from "fflate";
import { Dataset, Group } from "h5wasm";
import { AutoqnnError } from "../errors.js";
import { badModel } from "./badModel.js";
import { type LayerConfig, layerConfig, layersOf, nameOf } from "./config.js";
import { entry, member, names, withHdf5 } from "./hdf5.js";
import { type Entry, inside, match, type Pairs, refuseLeftovers, type Slot, slots } from "./slots.js";

/** A file's topology, and what finds the values for the model built from it. */
export interface KerasFile {
  readonly topology: unknown;
  pairs(model: tf.LayersModel): Promise<Pairs>;
}

/** The state of a random generator, which tfjs keeps no variable for. */
const isSeed = (name: string): boolean => name.includes("seed_generator");

/** A whole model in one HDF5 file: the topology in an attribute, the weights by layer. */
export async function h5(bytes: Uint8Array, location: string): Promise<KerasFile> {
  const topology = await withHdf5(bytes, location, (root) => {
    const text = root.attrs.model_config?.value;
    if (typeof text === "string") return parse(text, `model_config of ${location}`);
    const hint = 'Save the whole model, model.save("model.h5"), not its weights alone.';
    throw badModel("the attribute model_config", "a file without it", location, hint);
  });
  const pairs = (model: tf.LayersModel): Promise<Pairs> =>
    withHdf5(bytes, location, (root) => {
      const weights = member(root, "model_weights");
      if (!(weights instanceof Group))
        throw badModel("model_weights", "none", location, "Save the whole model.");
      return layerPairs(model, weights, location);
    });
  return { topology, pairs };
}

function layerPairs(model: tf.LayersModel, weights: Group, location: string): Pairs {
  const layers = new Map(model.layers.map((layer) => [layer.name, layer]));
  const entriesOf = (name: string): readonly Entry[] => {
    const group = member(weights, name);
    if (!(group instanceof Group)) return [];
    return names(group, "weight_names")
      .filter((weight) => !isSeed(weight))
      .map((weight) => {
        const dataset = member(group, weight);
        if (dataset instanceof Dataset) return entry(dataset, weight, location);
        throw badModel(
          `the tensor "${weight}"`,
          "none",
          `layer "${name}" of ${location}`,
          "Save the model again.",
        );
      });
  };
  const strangers = [...names(weights, "layer_names"), "top_level_model_weights"].filter(
    (name) => !layers.has(name),
  );
  refuseLeftovers(
    [],
    strangers.flatMap(entriesOf).map(({ name }) => name),
    location,
  );
  // Keras pairs a layer's tensors by their order alone. Names go first here, for orders may differ between versions.
  const pairs = model.layers.flatMap((layer) => [
    ...match(
      slots(layer, [layer.name]),
      entriesOf(layer.name),
      ["owner", "order"],
      `layer "${layer.name}" of ${location}`,
    ),
  ]);
  return new Map(pairs);
}

const TOPOLOGY = "config.json";
const WEIGHTS = "model.weights.h5";
/** No compressed byte of deflate stands for more bytes than this. */
const MOST_PER_BYTE = 1032;

/** A .keras archive: config.json and model.weights.h5, whose groups follow the nesting of the layers. */
export async function keras(bytes: Uint8Array, location: string): Promise<KerasFile> {
  const parts = unzip(bytes, location);
  const [config, weights] = [TOPOLOGY, WEIGHTS].map((name) => {
    const part = parts[name];
    if (part) return part;
    const hint = 'Save the model with model.save("model.keras").';
    throw badModel(`${name} in the archive`, Object.keys(parts).join(", ") || "none", location, hint);
  }) as [Uint8Array, Uint8Array];
  const topology = parse(strFromU8(config), `${TOPOLOGY} of ${location}`);
  const where = `${WEIGHTS} of ${location}`;
  const pairs = (model: tf.LayersModel): Promise<Pairs> =>
    withHdf5(weights, where, (root) => {
      const found = new Map<Slot, Entry>();
      for (const { slot, path } of places(model, layerConfig(topology, location), "", root, where)) {
        const dataset = member(root, path);
        if (dataset instanceof Dataset) found.set(slot, entry(dataset, path, where));
      }
      const missing = slots(model).filter(
        (slot) => ![...found.keys()].some((has) => has.variable === slot.variable),
      );
      const used = new Set([...found.values()].map(({ name }) => name));
      const surplus = root
        .paths()
        .filter((path) => /^_?layer.*\/vars\/\d+$/.test(path) && !isSeed(path) && !used.has(path));
      refuseLeftovers(
        missing.map(({ name }) => name),
        surplus,
        where,
      );
      return found;
    });
  return { topology, pairs };
}

type Layer = tf.layers.Layer;

/** Where the archive keeps each weight of `layer`: in the group at `at`, its own in vars/0, vars/1 ... */
function places(
  layer: Layer,
  config: LayerConfig | undefined,
  at: string,
  root: Group,
  where: string,
): readonly { readonly slot: Slot; readonly path: string }[] {
  const written = member(root, `${at}vars`)?.attrs.name?.value;
  if (config && typeof written === "string" && at !== "" && written !== layer.name) {
    throw badModel(
      `the weights of layer "${layer.name}"`,
      `those of "${written}"`,
      `${at} of ${where}`,
      "Save it again.",
    );
  }
  const nests = inside(layer);
  if (nests.length === 0)
    return slots(layer, [layer.name]).map((slot, i) => ({ slot, path: `${at}vars/${i}` }));
  return nests.flatMap(({ place, layers }) => {
    if (place === "layers" && config) {
      const configs = layersOf(config, where);
      const group = `${at}${member(root, `${at}${place}`) ? place : "_layer_checkpoint_dependencies"}/`;
      const groups = numbered(configs.map((each) => each.class_name));
      const byName = new Map(layers.map((each) => [each.name, each]));
      return configs.flatMap((each, i) => {
        const inner = byName.get(nameOf(each));
        return inner ? places(inner, each, `${group}${groups[i]}/`, root, where) : [];
      });
    }
    const groups =
      place === "cells"
        ? numbered(layers.map((each) => each.getClassName())).map((name) => `/${name}`)
        : [""];
    return layers.flatMap((each, i) => places(each, undefined, `${at}${place}${groups[i]}/`, root, where));
  });
}

/** The names that Keras gives to the groups of a list: the class in snake case, numbered from its second use. */
function numbered(classes: readonly string[]): readonly string[] {
  const seen = new Map<string, number>();
  return classes.map((kind) => {
    const snake = kind
      .replace(/\W+/g, "")
      .replace(/(.)([A-Z][a-z]+)/g, "$1_$2")
      .replace(/([a-z])([A-Z])/g, "$1_$2")
      .toLowerCase();
    const count = seen.get(snake) ?? 0;
    seen.set(snake, count + 1);
    return count === 0 ? snake : `${snake}_${count}`;
  });
}

function unzip(bytes: Uint8Array, location: string): Readonly<Record<string, Uint8Array>> {
  const hint = "Copy or save the file again.";
  try {
    return unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        if (originalSize > bytes.length * MOST_PER_BYTE) {
          throw badModel(
            `${name} of a size that ${bytes.length} packed bytes can hold`,
            `${originalSize}`,
            location,
            hint,
          );
        }
        return name === TOPOLOGY || name === WEIGHTS;
      },
    });
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    throw badModel(
      "an undamaged archive",
      `"${cause instanceof Error ? cause.message : cause}"`,
      location,
      hint,
      cause,
    );
  }
}

export function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badModel("JSON", `"${reason}"`, where, "Save the model again.", cause);
  }
}
