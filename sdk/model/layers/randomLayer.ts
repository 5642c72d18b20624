import * as tf from "@tensorflow/tfjs";
import { KerasLayer, type Kwargs, type LayerArgs } from "./layer.js";

/** Numbers in [0, 1) of a shape, drawn anew at each call. */
export type Draw = (shape: number[]) => tf.Tensor;

/**
 * A layer that draws random numbers in training, all of them from `draw`: a step gives it draws of its own seed, plain tfjs
 * those of the host. At inference it is the identity unless a subclass says otherwise.
 */
export abstract class RandomLayer<Config extends LayerArgs = LayerArgs> extends KerasLayer<Config> {
  static readonly callOptions: readonly string[] = ["training"];

  /** What the layer makes of `x` in training. */
  abstract random(x: tf.Tensor, draw: Draw): tf.Tensor;

  protected inference(x: tf.Tensor): tf.Tensor {
    return x;
  }

  protected override compute(x: tf.Tensor, kwargs: Kwargs): tf.Tensor {
    return kwargs.training ? this.random(x, (shape) => tf.randomUniform(shape)) : this.inference(x);
  }
}

/** Numbers in [low, high), one for each sample: [batch, 1, 1, 1] for images. */
export function perSample(x: tf.Tensor, draw: Draw, low: number, high: number): tf.Tensor {
  const drawn = draw(x.shape.map((size, i) => (i === 0 ? size : 1)));
  return tf.add(tf.mul(drawn, high - low), low);
}
