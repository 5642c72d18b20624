import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import { type LayerArgs, single } from "./layer.js";

interface LayerScaleConfig extends LayerArgs {
  readonly initValues: number;
  readonly projectionDim: number;
}

/** y = gamma x, one factor per channel (ConvNeXt; Touvron et al., 2021). */
class LayerScale extends tf.layers.Layer {
  static readonly className = "LayerScale";
  readonly #config: LayerScaleConfig;
  #gamma!: tf.LayerVariable;

  constructor(config: LayerScaleConfig) {
    super(config);
    this.#config = config;
  }

  override build(inputShape: tf.Shape): void {
    const { initValues, projectionDim } = this.#config;
    const start = tf.initializers.constant({ value: initValues });
    this.#gamma = this.addWeight("gamma", [projectionDim], "float32", start);
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => tf.mul(single(inputs), this.#gamma.read()));
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  override getConfig(): tf.serialization.ConfigDict {
    const { initValues, projectionDim } = this.#config;
    return { ...super.getConfig(), initValues, projectionDim };
  }
}

export const NORMALIZATIONS: LayerClasses = { LayerScale };
