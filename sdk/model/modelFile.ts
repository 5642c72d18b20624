import type * as tf from "@tensorflow/tfjs";
import { badModel } from "./badModel.js";

/** A whole model in a file or a set of files: its topology, and its weights for the model that is built from it. */
export interface ModelFile {
  readonly topology: unknown;
  /**
   * Writes the file's weights into the model.
   *
   * @throws AutoqnnError `bad-model` naming a weight that is missing, surplus or of another shape.
   */
  fill(model: tf.LayersModel): Promise<void>;
}

/** JSON in a model file. */
export function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badModel("JSON", `"${reason}"`, where, "Save the model again.", cause);
  }
}

/** The state of a random generator, for which tfjs keeps no variable. */
export function isSeed(name: string): boolean {
  return name.includes("seed_generator") || /(^|\/)StateVar(:\d+)?$/.test(name);
}
