import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import type { LayerArgs } from "./layer.js";
import { stock } from "./stock.js";

/** The difference of two tensors. */
class Subtract extends stock<object, LayerArgs>("Add") {
  static override readonly className = "Subtract";

  mergeFunction(inputs: tf.Tensor[]): tf.Tensor {
    return tf.sub(inputs[0]!, inputs[1]!);
  }
}

/** Tensors of one rank at the shape they share. (The gradients of tfjs's maximum and minimum forget that they broadcast.) */
function alike(inputs: readonly tf.Tensor[]): tf.Tensor[] {
  const shape = inputs[0]!.shape.map((_, i) => Math.max(...inputs.map((x) => x.shape[i]!)));
  return inputs.map((x) => (x.shape.join() === shape.join() ? x : tf.broadcastTo(x, shape)));
}

/** The largest of several values. */
class Maximum extends stock<object, LayerArgs>("Maximum") {
  static override readonly className = "Maximum";

  mergeFunction(inputs: tf.Tensor[]): tf.Tensor {
    return alike(inputs).reduce((most, x) => tf.maximum(most, x));
  }
}

/** The smallest of several values. */
class Minimum extends stock<object, LayerArgs>("Minimum") {
  static override readonly className = "Minimum";

  mergeFunction(inputs: tf.Tensor[]): tf.Tensor {
    return alike(inputs).reduce((least, x) => tf.minimum(least, x));
  }
}

interface CustomScaleLayerConfig extends LayerArgs {
  readonly scale: number;
}

/** y = x[0] + scale x[1], which Keras has for InceptionResNetV2 (keras.src.applications). */
class CustomScaleLayer extends stock<object, CustomScaleLayerConfig>("Add") {
  static override readonly className = "CustomScaleLayer";
  readonly #scale: number;

  constructor(config: CustomScaleLayerConfig) {
    super(config);
    this.#scale = config.scale;
  }

  mergeFunction(inputs: tf.Tensor[]): tf.Tensor {
    return tf.add(inputs[0]!, tf.mul(inputs[1]!, this.#scale));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), scale: this.#scale };
  }
}

export const MERGES = { Subtract, Maximum, Minimum, CustomScaleLayer } as unknown as LayerClasses;
