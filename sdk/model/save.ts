import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";

/**
 * Saves a model as tfjs does: `model.json` and `weights.bin` in `directory`, which is made where it is missing.
 *
 * @throws AutoqnnError `bad-file` when the directory cannot be written; `bad-model` when two weights have one name.
 * @example
 * await models.save(model, "out/resnet8");
 */
export async function save(model: tf.LayersModel, directory: string): Promise<void> {
  const names = model.weights.map((weight) => weight.originalName);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    const message = `Expected weights of different names, received "${twice}" twice.`;
    throw new AutoqnnError("bad-model", message, "Give layers in nested models names of their own.");
  }
  await model.save(tf.io.withSaveHandler((artifacts) => write(artifacts, directory)));
}

async function write(artifacts: tf.io.ModelArtifacts, directory: string): Promise<tf.io.SaveResult> {
  const { modelTopology, format, generatedBy, convertedBy = null, weightSpecs, weightData } = artifacts;
  const weightsManifest = [{ paths: ["weights.bin"], weights: weightSpecs }];
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
