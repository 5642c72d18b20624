import * as tf from "@tensorflow/tfjs";
import { OPERATION } from "../operations/operation.js";
import { ACTIVATIONS } from "./activation.js";
import { ATTENTION } from "./attention.js";
import { AUGMENTATIONS } from "./augmentation.js";
import { BATCH_NORMALIZATIONS } from "./batchNormalization.js";
import { CATEGORIES } from "./categories.js";
import { CONVOLUTIONS } from "./convolution.js";
import { CONVOLUTIONAL_RECURRENT } from "./convolutionalRecurrent.js";
import { DROPOUTS } from "./dropout.js";
import { EINSUM } from "./einsumDense.js";
import { FLATTEN } from "./flatten.js";
import { IMAGE_SIZES } from "./imageSize.js";
import { MASKS } from "./masks.js";
import { MERGES } from "./merge.js";
import { HEAD_ATTENTION } from "./multiHeadAttention.js";
import { NORMALIZATIONS } from "./normalization.js";
import { PASSING } from "./passing.js";
import { POOLINGS } from "./pooling.js";
import { RECURRENT } from "./recurrent.js";
import { RESHAPINGS } from "./reshaping.js";
import { SPECTRAL_NORMALIZATIONS } from "./spectralNormalization.js";
import { STANDARDIZATIONS } from "./standardization.js";
import { isStock } from "./stock.js";
import { WRAPPERS } from "./wrappers.js";

type LayerClass = tf.serialization.SerializableConstructor<tf.layers.Layer>;

/** Layer classes by the names that files call them. */
export type LayerClasses = Readonly<Record<string, LayerClass>>;

/** Keras's layers that tfjs lacks or computes otherwise. */
export const LAYERS: LayerClasses = {
  ...ATTENTION,
  ...AUGMENTATIONS,
  ...BATCH_NORMALIZATIONS,
  ...CATEGORIES,
  ...CONVOLUTIONS,
  ...ACTIVATIONS,
  ...DROPOUTS,
  ...CONVOLUTIONAL_RECURRENT,
  ...EINSUM,
  ...FLATTEN,
  ...HEAD_ATTENTION,
  ...IMAGE_SIZES,
  ...MASKS,
  ...MERGES,
  ...NORMALIZATIONS,
  ...OPERATION,
  ...PASSING,
  ...POOLINGS,
  ...RECURRENT,
  ...RESHAPINGS,
  ...SPECTRAL_NORMALIZATIONS,
  ...STANDARDIZATIONS,
  ...WRAPPERS,
};

/**
 * Runs `body`, which builds layers from configurations before it first waits, with `LAYERS` before tfjs's classes of the
 * same name, but behind those that the program has registered. Custom objects would not do: tfjs hands them on neither through a Sequential nor through a wrapper. Afterwards
 * the registry is as it was, so what others build stays tfjs's own.
 */
export function withLayers<T>(body: () => T): T {
  const registry = tf.serialization.SerializationMap.getMap().classNameMap as Record<string, unknown>;
  const before = { ...registry };
  const ours = Object.entries(LAYERS).filter(([name]) => isStock(name));
  for (const [name, kind] of ours) registry[name] = [kind, kind.fromConfig];
  try {
    return body();
  } finally {
    for (const [name] of ours) {
      if (name in before) registry[name] = before[name];
      else delete registry[name];
    }
  }
}
