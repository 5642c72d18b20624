import * as tf from "@tensorflow/tfjs";
import { BATCH_NORMALIZATIONS } from "./batchNormalization.js";
import { EINSUM } from "./einsumDense.js";
import { NORMALIZATIONS } from "./normalization.js";
import { RECURRENT } from "./recurrent.js";
import { SPECTRAL_NORMALIZATIONS } from "./spectralNormalization.js";
import { STANDARDIZATIONS } from "./standardization.js";

type LayerClass = tf.serialization.SerializableConstructor<tf.layers.Layer>;

/** Layer classes by the names that files call them. */
export type LayerClasses = Readonly<Record<string, LayerClass>>;

/** Keras's layers that tfjs lacks or computes otherwise. */
export const LAYERS: LayerClasses = {
  ...BATCH_NORMALIZATIONS,
  ...EINSUM,
  ...NORMALIZATIONS,
  ...RECURRENT,
  ...SPECTRAL_NORMALIZATIONS,
  ...STANDARDIZATIONS,
};

/**
 * Runs `body`, which builds layers from configurations before it first waits, with `LAYERS` before tfjs's classes of the
 * same name. Custom objects would not do: tfjs hands them on neither through a Sequential nor through a wrapper. Afterwards
 * the registry is as it was, so what others build stays tfjs's own.
 */
export function withLayers<T>(body: () => T): T {
  const registry = tf.serialization.SerializationMap.getMap().classNameMap as Record<string, unknown>;
  const before = { ...registry };
  for (const [name, kind] of Object.entries(LAYERS)) registry[name] = [kind, kind.fromConfig];
  try {
    return body();
  } finally {
    for (const name of Object.keys(LAYERS)) {
      if (name in before) registry[name] = before[name];
      else delete registry[name];
    }
  }
}
