import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import { slots } from "./files/slots.js";

/**
 * Saves a model as tfjs does: `model.json` and `weights.bin` in `directory`, which is made where it is missing. Weights of
 * one name, in models inside the model, are called by the models and layers that hold them, which `models.load` reads back.
 *
 * @throws AutoqnnError `bad-file` when the directory cannot be written; `bad-model` when two weights have one name all the
 * same.
 * @example
 * await models.save(model, "out/resnet8");
 */
export async function save(model: tf.LayersModel, directory: string): Promise<void> {
  const names = namesOf(model);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    const message = `Expected weights of different names, received "${twice}" twice.`;
    throw new AutoqnnError("bad-model", message, "Give layers in nested models names of their own.");
  }
  await model.save(tf.io.withSaveHandler((artifacts) => write(artifacts, names, directory)));
}

/** Names for the weights of a model in their order: tfjs's, and where two agree, those that say where each stands. */
function namesOf(model: tf.LayersModel): readonly string[] {
  const plain = model.weights.map((weight) => weight.originalName);
  const seen = new Set<string>();
  const repeated = new Set(plain.filter((name) => seen.has(name) || !seen.add(name)));
  const full = new Map(slots(model).map(({ variable, name }) => [variable.id, name]));
  return model.weights.map(({ id, originalName }) =>
    repeated.has(originalName) ? (full.get(id) ?? originalName) : originalName,
  );
}

async function write(
  artifacts: tf.io.ModelArtifacts,
  names: readonly string[],
  directory: string,
): Promise<tf.io.SaveResult> {
  const { modelTopology, format, generatedBy, convertedBy = null, weightSpecs, weightData } = artifacts;
  const weights = weightSpecs?.map((spec, i) => ({ ...spec, name: names[i] }));
  const weightsManifest = [{ paths: ["weights.bin"], weights }];
  const json = JSON.stringify({ format, generatedBy, convertedBy, modelTopology, weightsManifest });
  const bytes = tf.io.CompositeArrayBuffer.join(weightData);
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "weights.bin"), new Uint8Array(bytes));
    await writeFile(join(directory, "model.json"), json);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `Expected a directory that can be written, received "${reason}" at ${directory}.`;
    throw new AutoqnnError("bad-file", message, "Choose another directory or free its disk.", { cause });
  }
  return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: "JSON" } };
}
