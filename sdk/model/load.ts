import type * as tf from "@tensorflow/tfjs";
import { badModel } from "./badModel.js";
import { type Config, isConfig, show } from "./config.js";
import { type Bytes, copy } from "./files/bytes.js";
import { h5 } from "./files/h5.js";
import { keras } from "./files/keras.js";
import { elementsOf, fillFromManifest, withManifest } from "./files/layersModel.js";
import { type ModelFile, parse } from "./files/modelFile.js";
import { checkWeights, slots } from "./files/slots.js";
import { type Source, source } from "./files/source.js";
import { fromGraph } from "./graphModel/graphModel.js";
import { intoArray } from "./operations/arguments.js";
import { savedModel } from "./savedModel/savedModel.js";
import { build } from "./topology/topology.js";

/** Formats, known by the first bytes of a file. */
const SIGNATURES: readonly {
  starts: string;
  read(bytes: Bytes, location: string): Promise<ModelFile>;
}[] = [
  { starts: "\x89HDF\r\n\x1a\n", read: h5 },
  { starts: "PK\x03\x04", read: keras },
];

/**
 * Loads a model: a tfjs `model.json`, of a layers model or of a graph model, with its weight shards (or the directory that
 * holds them), the JSON of a Keras model (fresh weights), a Keras `.h5` or `.keras` file, or the directory of a SavedModel
 * of Keras 2. A graph becomes layers. The model comes back uncompiled; code in a file is never run. Weights of layers are
 * read one by one, so that a model takes its own size in memory.
 *
 * @param location a path, or a URL of scheme file, http or https.
 * @throws AutoqnnError `bad-file` when it cannot be read; `bad-model` naming the layer or weight that is missing, surplus,
 * of another shape, not finite, or of a class that is not known, or the node of a graph that cannot be computed.
 * @example
 * const model = await models.load("mobilenet.keras");
 */
export async function load(location: string): Promise<tf.LayersModel> {
  const from = await source(location);
  if (/(^|[/\\])saved_model\.pb$/.test(from.location)) return fromFile(await savedModel(from), from.location);
  const bytes = await from.open();
  try {
    const head = Buffer.from(copy(bytes, 0, Math.min(8, bytes.size))).toString("latin1");
    const format = SIGNATURES.find(({ starts }) => head.startsWith(starts));
    if (format) return await fromFile(await format.read(bytes, from.location), from.location);
    const start = copy(bytes, 0, Math.min(64, bytes.size));
    if (/^\s*\{/.test(Buffer.from(start).toString("utf8"))) {
      return await fromJson(parse(copy(bytes), from.location), from);
    }
    const hint = "Give a model.json of tfjs or Keras, an .h5 or a .keras file.";
    throw badModel(
      "a model file",
      `the bytes ${Buffer.from(head, "latin1").toString("hex") || "of nothing"}`,
      from.location,
      hint,
    );
  } finally {
    bytes.close();
  }
}

async function fromFile(file: ModelFile, location: string): Promise<tf.LayersModel> {
  const model = build(file.topology, location, file.elements);
  return filled(model, () => file.fill(model));
}

async function fromJson(json: unknown, from: Source): Promise<tf.LayersModel> {
  const outer = isConfig(json) ? json : {};
  const inner = outer.modelTopology ?? json;
  if (outer.format === "graph-model" || (isConfig(inner) && "node" in inner)) {
    return fromGraphJson(outer, inner, from);
  }
  const topology = isConfig(inner) && "model_config" in inner ? inner.model_config : inner;
  if (!isConfig(topology) || !("class_name" in topology)) {
    const hint = "Save the model with tfjs's model.save or Keras's model.to_json.";
    throw badModel("a topology", show(topology), from.location, hint);
  }
  const { weightsManifest } = outer;
  const model = build(
    topology,
    from.location,
    weightsManifest === undefined ? undefined : elementsOf(weightsManifest),
  );
  if (weightsManifest === undefined) return model;
  return filled(model, () => fillFromManifest(model, weightsManifest, from));
}

async function fromGraphJson(outer: Config, topology: unknown, from: Source): Promise<tf.LayersModel> {
  const weights = await withManifest(
    outer.weightsManifest,
    from,
    (entries) => new Map(entries.map(({ name, tensor }) => [name, intoArray(tensor())])),
  );
  const metadata = isConfig(outer.userDefinedMetadata) ? outer.userDefinedMetadata : {};
  const signature = outer.signature ?? metadata.signature;
  return filled(fromGraph({ topology, signature, weights }, from.location), async () => {});
}

async function filled(model: tf.LayersModel, fill: () => Promise<void>): Promise<tf.LayersModel> {
  try {
    await fill();
    checkWeights(model);
    return model;
  } catch (error) {
    // tfjs's own dispose leaves a model inside that is called more than once.
    for (const { variable } of slots(model)) variable.dispose();
    throw error;
  }
}
