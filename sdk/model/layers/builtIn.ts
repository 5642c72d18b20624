import * as tf from "@tensorflow/tfjs";
import { LAYERS } from "./index.js";

/** The classes that tfjs registers itself: what stood in its registry when this package was loaded. */
const STOCK = new Set<unknown>(
  Object.values(tf.serialization.SerializationMap.getMap().classNameMap).map(([kind]) => kind),
);

const OURS = new Set<unknown>(Object.values(LAYERS));

/** Whether a layer is of a class of tfjs or of this package, and so known to compute as its class does. */
export function isBuiltIn(layer: tf.layers.Layer): boolean {
  return STOCK.has(layer.constructor) || OURS.has(layer.constructor);
}
