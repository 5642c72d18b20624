import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import type { LayerArgs } from "./layer.js";
import { type Draw, RandomLayer } from "./randomLayer.js";
import { layoutOf } from "./spatial.js";

interface SpatialConfig extends LayerArgs {
  readonly rate: number;
  readonly dataFormat?: string;
}

/** 0 with probability `rate`, else 1 / (1 - rate). */
function kept(draw: Draw, shape: number[], rate: number): tf.Tensor {
  return tf.mul(tf.cast(tf.greaterEqual(draw(shape), rate), "float32"), 1 / (1 - rate));
}

/** Whole channels of a sample are dropped together. */
abstract class SpatialDropout extends RandomLayer<SpatialConfig> {
  override random(x: tf.Tensor, draw: Draw): tf.Tensor {
    const { rate, dataFormat } = this.config;
    if (!(rate > 0 && rate < 1)) return x;
    const layout = layoutOf(dataFormat);
    const ones = layout.spatial(x.shape).map(() => 1);
    const shape = layout.shape(x.shape[0]!, ones, layout.channels(x.shape)) as number[];
    return tf.mul(x, kept(draw, shape, rate));
  }
}

class SpatialDropout2D extends SpatialDropout {
  static readonly className = "SpatialDropout2D";
}

class SpatialDropout3D extends SpatialDropout {
  static readonly className = "SpatialDropout3D";
}

/** A residual path that is left out for some samples (Huang et al., 2016). */
abstract class PathDropout<Config extends LayerArgs> extends RandomLayer<Config> {
  protected abstract get rate(): number;

  override random(x: tf.Tensor, draw: Draw): tf.Tensor {
    if (!(this.rate > 0 && this.rate < 1)) return x;
    const shape = x.shape.map((size, i) => (i === 0 ? size : 1));
    return tf.mul(x, kept(draw, shape, this.rate));
  }
}

/** As Keras Applications name it. */
class StochasticDepth extends PathDropout<LayerArgs & { readonly dropPathRate: number }> {
  static readonly className = "StochasticDepth";

  protected override get rate(): number {
    return this.config.dropPathRate;
  }
}

/** As Keras Hub and Keras CV name it. */
class DropPath extends PathDropout<LayerArgs & { readonly rate: number }> {
  static readonly className = "DropPath";

  protected override get rate(): number {
    return this.config.rate;
  }
}

export const DROPOUTS: LayerClasses = { SpatialDropout2D, SpatialDropout3D, StochasticDepth, DropPath };
