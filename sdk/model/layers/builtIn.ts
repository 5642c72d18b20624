import type * as tf from "@tensorflow/tfjs";
import { LAYERS } from "./index.js";
import { isOfTfjs } from "./stock.js";

const OURS = new Set<unknown>(Object.values(LAYERS));

/** Whether a layer is of a class of tfjs or of this package, and so known to compute as its class does. */
export function isBuiltIn(layer: tf.layers.Layer): boolean {
  return isOfTfjs(layer.constructor) || OURS.has(layer.constructor);
}
