import type * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";

/** A whole model in a file or a set of files: its topology, and its weights for the model that is built from it. */
export interface ModelFile {
  readonly topology: unknown;
  /** How many numbers it holds, those of its weights among them. */
  readonly elements: number;
  /**
   * Writes the file's weights into the model.
   *
   * @throws AutoqnnError `bad-model` naming a weight that is missing, surplus or of another shape.
   */
  fill(model: tf.LayersModel): Promise<void>;
}

/**
 * JSON in a model file, infinities as Python writes them included.
 *
 * @throws AutoqnnError `bad-model` for other text.
 */
export function parse(bytes: Uint8Array, where: string): unknown {
  try {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
    return text.includes("Infinity") ? JSON.parse(text.replace(INFINITIES, overflow)) : JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badModel("JSON", `"${reason}"`, where, "Save the model again.", cause);
  }
}

/** Strings come first, so that a word inside one is none. */
const INFINITIES = /"(?:[^"\\]+|\\.)*"|Infinity/g;

function overflow(word: string): string {
  return word === "Infinity" ? "1e999" : word;
}

/** The state of a random generator, for which tfjs keeps no variable. */
export function isSeed(name: string): boolean {
  return name.includes("seed_generator") || /(^|\/)StateVar(:\d+)?$/.test(name);
}
