import type * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import { isConfig, show } from "../config.js";
import { isSeed, type ModelFile, parse } from "../files/modelFile.js";
import { assign, type Entry, inside, match, type Pairs, refuseLeftovers, slots } from "../files/slots.js";
import type { Source } from "../files/source.js";
import { type Bundle, withBundle } from "./bundle.js";
import { type KerasObject, readDescription, readMetadata } from "./metadata.js";
import { readObjectGraph, type TrackedObject } from "./objectGraph.js";

const HINT = "Copy the whole directory again, or save the model again.";

/**
 * A SavedModel of Keras 2: the topology in the metadata of its root, the weights in the checkpoint beside it. The graph of
 * operations is not read, and nothing of it is run.
 *
 * @throws AutoqnnError `bad-model` where the layers are not in it, naming what was found.
 */
export async function savedModel(from: Source): Promise<ModelFile> {
  const objects = await kerasObjects(from);
  const root = objects.find(({ path }) => path === "root")!;
  const topology = topologyOf(root, from.location);
  const fill = (model: tf.LayersModel): Promise<void> =>
    withBundle(from, VARIABLES, (bundle) =>
      assign(pairs(model, objects, bundle, from.location), from.location),
    );
  const elements = await withBundle(from, VARIABLES, (bundle) => bundle.elements());
  return { topology, elements, fill };
}

const VARIABLES = "variables/variables";

async function kerasObjects(from: Source): Promise<readonly KerasObject[]> {
  const metadata = await ifThere(from.beside("keras_metadata.pb"));
  const objects = metadata ? guarded(from, () => readMetadata(metadata)) : [];
  if (objects.some(({ path }) => path === "root")) return objects;
  const content = await from.read();
  const { version, objects: older, hasObjects } = guarded(from, () => readDescription(content));
  if (older.some(({ path }) => path === "root")) return older;
  const found = hasObjects
    ? "functions alone, as model.export of Keras 3 and tf.saved_model.save write them,"
    : "a graph of operations alone, as TensorFlow 1 writes it,";
  const hint = 'Its layers are gone: save the Keras model with model.save("model.keras") and give that file.';
  throw badModel(
    "a SavedModel with the layers of Keras 2",
    `${found} of TensorFlow ${version || "unknown"}`,
    from.location,
    hint,
  );
}

/** The content of a file that may be missing. */
async function ifThere(from: Source): Promise<Uint8Array | undefined> {
  try {
    return await from.read();
  } catch (error) {
    const cause = error instanceof AutoqnnError ? (error.cause as { code?: unknown; message?: unknown }) : {};
    if (cause?.code === "ENOENT" || cause?.message === "status 404") return undefined;
    throw error;
  }
}

function guarded<T>(from: Source, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badModel("an undamaged SavedModel", `"${reason}"`, from.location, HINT, cause);
  }
}

function topologyOf({ metadata, identifier }: KerasObject, location: string): unknown {
  const root = plain(parse(Buffer.from(metadata), `the metadata of ${location}`));
  const topology = isConfig(root)
    ? (root.model_config ?? { class_name: root.class_name, config: root.config })
    : {};
  if (isConfig(topology) && isConfig(topology.config) && "layers" in topology.config) {
    return { ...topology, keras_version: isConfig(root) ? root.keras_version : undefined };
  }
  const name = isConfig(root) ? (root.class_name ?? root.name) : undefined;
  const hint =
    'Build it as keras.Sequential or keras.Model(inputs, outputs), and save it with model.save("model.keras").';
  const received = `${show(name)} (${identifier}), whose layers only its code knows,`;
  throw badModel("a Sequential or functional model", received, location, hint);
}

/** Keras marks tuples and shapes in this JSON, which are lists everywhere else. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isConfig(value)) return value;
  const { class_name: kind, items } = value;
  if ((kind === "__tuple__" || kind === "TensorShape") && Array.isArray(items)) return items.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

type Layer = tf.layers.Layer;

/** Finds the tensors of each layer by the graph of saved objects. */
function pairs(
  model: tf.LayersModel,
  objects: readonly KerasObject[],
  bundle: Bundle,
  location: string,
): Pairs {
  const graph = bundle.text("_CHECKPOINTABLE_OBJECT_GRAPH");
  if (!graph) throw badModel("the graph of objects in the checkpoint", "none", location, HINT);
  const nodes = ((): readonly TrackedObject[] => {
    try {
      return readObjectGraph(graph);
    } catch (cause) {
      throw badModel("an undamaged graph of objects", `"${String(cause)}"`, location, HINT, cause);
    }
  })();
  const child = (node: number | undefined, name: string): number | undefined =>
    node === undefined ? undefined : nodes[node]?.children.get(name);
  const names = new Map<number, string>();
  for (const { path, metadata } of objects) {
    const [, ...steps] = path.split(".");
    const node = steps.reduce<number | undefined>(child, 0);
    const described = parse(Buffer.from(metadata), `the metadata of ${path} in ${location}`);
    if (node !== undefined && isConfig(described)) names.set(node, String(described.name));
  }
  /** The variables of a layer by the names that they had in Keras, as far as they are weights. */
  const entriesOf = (node: number): readonly Entry[] =>
    variablesBelow(node, nodes).flatMap(({ name, key }) => {
      if (isSeed(name)) return [];
      const entry = bundle.entry(key, name);
      if (entry) return [entry];
      throw badModel(`a tensor for "${name}"`, "none", `layer "${names.get(node)}" of ${location}`, HINT);
    });
  const layerPairs = (layer: Layer, node: number, trail: readonly string[]): Pairs => {
    const layers = inside(layer).find(({ place }) => place === "layers")?.layers;
    const where = `layer "${trail.join("/")}" of ${location}`;
    if (!layers) return match(slots(layer, trail), entriesOf(node), ["trail", "owner", "order"], where);
    const byName = new Map(
      [...(nodes[node]?.children ?? [])]
        .filter(([name]) => /^layer-\d+$/.test(name))
        .map(([, id]) => [names.get(id) ?? "", id]),
    );
    const found = layers.flatMap((inner) => {
      const id = byName.get(inner.name);
      byName.delete(inner.name);
      const path = [...trail, inner.name];
      if (id !== undefined) return [...layerPairs(inner, id, path)];
      refuseLeftovers(
        slots(inner, path).map(({ name }) => name),
        [],
        location,
      );
      return [];
    });
    const surplus = [...byName.values()].flatMap(entriesOf);
    refuseLeftovers(
      [],
      surplus.map(({ name }) => name),
      location,
    );
    return new Map(found);
  };
  return layerPairs(model, 0, []);
}

/** Children of a layer that hold no weights of its own, or hold them again. */
const ASIDE: ReadonlySet<string> = new Set(["keras_api", "optimizer", "signatures"]);

/** The variables that an object holds, each once: in the order of its list of them, if it was saved with one. */
function variablesBelow(
  node: number,
  nodes: readonly TrackedObject[],
): readonly { readonly name: string; readonly key: string }[] {
  const list = nodes[node]?.children.get("variables");
  const seen = new Set([list ?? node]);
  for (const id of seen) {
    for (const [name, child] of nodes[id]?.children ?? []) if (!ASIDE.has(name)) seen.add(child);
  }
  return [...seen].flatMap((id) => nodes[id]?.variable ?? []);
}
