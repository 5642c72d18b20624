import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import type { LayerArgs } from "./layer.js";

interface SpectralNormalizationConfig extends LayerArgs {
  readonly layer: tf.layers.Layer;
  readonly powerIterations?: number;
}

/**
 * The layer it holds, with its kernel as it stands: Keras divides the kernel by its largest singular value while it trains
 * (Miyato et al., 2018) and stores what comes out. Training here goes on from that kernel without dividing again.
 */
class SpectralNormalization extends tf.layers.Layer {
  static readonly className = "SpectralNormalization";
  readonly layer: tf.layers.Layer;
  readonly #powerIterations: number;

  constructor(config: SpectralNormalizationConfig) {
    super(config);
    this.layer = config.layer;
    this.#powerIterations = config.powerIterations ?? 1;
    this.supportsMasking = true;
  }

  override build(inputShape: tf.Shape): void {
    if (!this.layer.built) {
      this.layer.build(inputShape);
      this.layer.built = true;
    }
    const kernel = this.layer.weights.find(({ originalName }) => /(kernel|embeddings)$/.test(originalName));
    const filters = kernel?.shape.at(-1) ?? 1;
    const start = tf.initializers.truncatedNormal({ stddev: 0.02 });
    this.addWeight("vector_u", [1, filters], "float32", start, undefined, false);
    super.build(inputShape);
  }

  override get trainableWeights(): tf.LayerVariable[] {
    return this.layer.trainableWeights;
  }

  override get nonTrainableWeights(): tf.LayerVariable[] {
    return [...this.layer.nonTrainableWeights, ...super.nonTrainableWeights];
  }

  override call(
    inputs: tf.Tensor | tf.Tensor[],
    kwargs: Record<string, unknown> = {},
  ): tf.Tensor | tf.Tensor[] {
    return this.layer.call(inputs, kwargs);
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape | tf.Shape[] {
    return this.layer.computeOutputShape(inputShape);
  }

  override getConfig(): tf.serialization.ConfigDict {
    const layer = { className: this.layer.getClassName(), config: this.layer.getConfig() };
    return { ...super.getConfig(), layer, powerIterations: this.#powerIterations };
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    kind: tf.serialization.SerializableConstructor<T>,
    config: tf.serialization.ConfigDict,
  ): T {
    const { layer, ...rest } = config as {
      layer: { className: string; config: tf.serialization.ConfigDict };
    };
    const [inner, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[layer.className]!;
    return new kind({ ...rest, layer: fromConfig(inner, layer.config) });
  }
}

export const SPECTRAL_NORMALIZATIONS: LayerClasses = { SpectralNormalization };
