import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import type { LayerClasses } from "./index.js";
import { axisOf, KerasLayer, type LayerArgs } from "./layer.js";
import { type WeightOptions, weightOptions } from "./weights.js";

interface AffineConfig extends LayerArgs {
  readonly axis?: number | readonly number[];
  readonly epsilon?: number;
  readonly center?: boolean;
  readonly scale?: boolean;
}

/** A normalization followed by y = gamma x + beta, gamma and beta of one shape. */
abstract class AffineNormalization<Config extends AffineConfig = AffineConfig> extends KerasLayer<Config> {
  readonly #gamma: WeightOptions;
  readonly #beta: WeightOptions;
  protected gamma?: tf.LayerVariable;
  protected beta?: tf.LayerVariable;

  constructor(config: Config) {
    super(config);
    this.#gamma = weightOptions(config, "gamma", "ones");
    this.#beta = weightOptions(config, "beta", "zeros");
  }

  protected addAffine(shape: number[], { scale = true, center = true }: AffineConfig): void {
    if (scale) this.gamma = this.weight("gamma", shape, this.#gamma);
    if (center) this.beta = this.weight("beta", shape, this.#beta);
  }

  /** gamma (x - mean) / sqrt(variance + epsilon) + beta; all of a rank that broadcasts. */
  protected affine(x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, shape: number[]): tf.Tensor {
    const { epsilon = 1e-3 } = this.config;
    const inverse = tf.rsqrt(tf.add(variance, epsilon));
    const factor = this.gamma ? tf.mul(inverse, tf.reshape(this.gamma.read(), shape)) : inverse;
    const y = tf.mul(tf.sub(x, mean), factor);
    return this.beta ? tf.add(y, tf.reshape(this.beta.read(), shape)) : y;
  }

  protected override parts(): tf.serialization.ConfigDict {
    return { ...this.#gamma.config, ...this.#beta.config };
  }
}

/** Axes from the front, in the order of the dimensions of their weights. */
function axesOf(axis: number | readonly number[] = -1, rank: number): number[] {
  return [axis].flat().map((each) => axisOf(each, rank));
}

/** Where a weight of `axes` stands in a tensor of `shape`. */
function broadcast(shape: readonly (number | null)[], axes: readonly number[]): number[] {
  return shape.map((size, i) => (axes.includes(i) ? size! : 1));
}

interface LayerNormalizationConfig extends AffineConfig {
  readonly rmsScaling?: boolean;
}

/**
 * Moments over some axes of each sample (Ba et al., 2016). With `rmsScaling`, as Keras computes that: x / sqrt(variance +
 * epsilon), the mean left in.
 */
class LayerNormalization extends AffineNormalization<LayerNormalizationConfig> {
  static readonly className = "LayerNormalization";

  override build(inputShape: tf.Shape): void {
    const { rmsScaling = false, scale = true, center = true, axis = -1 } = this.config;
    const shape = axesOf(axis, inputShape.length).map((i) => inputShape[i]!);
    this.addAffine(shape, { scale: scale || rmsScaling, center: center && !rmsScaling });
    super.build(inputShape);
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const axes = axesOf(this.config.axis, x.rank);
    const { mean, variance } = tf.moments(x, axes, true);
    const shape = broadcast(x.shape, axes);
    return this.affine(x, this.config.rmsScaling ? tf.zerosLike(mean) : mean, variance, shape);
  }
}

interface GroupNormalizationConfig extends AffineConfig {
  readonly groups?: number;
  readonly axis?: number;
}

/** Moments over groups of channels of each sample (Wu and He, 2018); groups -1: each channel by itself. */
class GroupNormalization extends AffineNormalization<GroupNormalizationConfig> {
  static readonly className = "GroupNormalization";
  #groups = 0;

  override build(inputShape: tf.Shape): void {
    const { groups = 32, axis = -1 } = this.config;
    const channels = inputShape[axisOf(axis, inputShape.length)]!;
    this.#groups = groups === -1 ? channels : groups;
    if (channels % this.#groups !== 0) {
      const hint = "Choose a number of groups that divides the channels.";
      throw badModel(`groups that divide ${channels} channels`, `${groups}`, `layer "${this.name}"`, hint);
    }
    this.addAffine([channels], this.config);
    super.build(inputShape);
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const axis = axisOf(this.config.axis ?? -1, x.rank);
    const last = x.rank - 1;
    const order = x.shape.map((_, i) => (i === axis ? last : i === last ? axis : i));
    const swap = (t: tf.Tensor): tf.Tensor => (axis === last ? t : tf.transpose(t, order));
    const swapped = swap(x);
    const [batch, channels] = [x.shape[0]!, x.shape[axis]!];
    const each = channels / this.#groups;
    const positions = x.size / (batch * channels);
    const grouped = tf.reshape(swapped, [batch, positions, this.#groups, each]);
    const { mean, variance } = tf.moments(grouped, [1, 3], true);
    const y = this.affine(grouped, mean, variance, [1, 1, this.#groups, each]);
    return swap(tf.reshape(y, swapped.shape));
  }
}

/** y = scale x / sqrt(mean(x^2) + epsilon) over some axes (Zhang and Sennrich, 2019). */
class RMSNormalization extends KerasLayer<AffineConfig> {
  static readonly className = "RMSNormalization";
  #scale!: tf.LayerVariable;

  override build(inputShape: tf.Shape): void {
    const shape = axesOf(this.config.axis, inputShape.length).map((i) => inputShape[i]!);
    this.#scale = this.weight("scale", shape, weightOptions({}, "scale", "ones"));
    super.build(inputShape);
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const axes = axesOf(this.config.axis, x.rank);
    const square = tf.mean(tf.square(x), axes, true);
    const normal = tf.mul(x, tf.rsqrt(tf.add(square, this.config.epsilon ?? 1e-6)));
    return tf.mul(normal, tf.reshape(this.#scale.read(), broadcast(x.shape, axes)));
  }
}

/** x / max(|x|, 1e-12), |x| the Euclidean norm over some axes. */
class UnitNormalization extends KerasLayer<AffineConfig> {
  static readonly className = "UnitNormalization";

  protected override compute(x: tf.Tensor): tf.Tensor {
    const axes = axesOf(this.config.axis, x.rank);
    return tf.mul(x, tf.rsqrt(tf.maximum(tf.sum(tf.square(x), axes, true), 1e-24)));
  }
}

interface LayerScaleConfig extends LayerArgs {
  readonly initValues: number;
  readonly projectionDim: number;
}

/** y = gamma x, one factor per channel (ConvNeXt; Touvron et al., 2021). */
class LayerScale extends KerasLayer<LayerScaleConfig> {
  static readonly className = "LayerScale";
  #gamma!: tf.LayerVariable;

  override build(inputShape: tf.Shape): void {
    const { initValues: value, projectionDim } = this.config;
    const start = weightOptions({ gammaInitializer: tf.initializers.constant({ value }) }, "gamma", "ones");
    this.#gamma = this.weight("gamma", [projectionDim], start);
    super.build(inputShape);
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    return tf.mul(x, this.#gamma.read());
  }
}

export const NORMALIZATIONS: LayerClasses = {
  LayerNormalization,
  GroupNormalization,
  RMSNormalization,
  UnitNormalization,
  LayerScale,
};
