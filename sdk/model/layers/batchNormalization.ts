import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import { axisOf, type Kwargs, single } from "./layer.js";
import { stock } from "./stock.js";

interface Stock {
  readonly axis: number;
  readonly epsilon: number;
  readonly gamma?: tf.LayerVariable;
  readonly beta?: tf.LayerVariable;
  readonly movingMean: tf.LayerVariable;
  readonly movingVariance: tf.LayerVariable;
}

/**
 * tfjs's own, which has no inference for more than four dimensions, and on its JavaScript backend repeats the parameters along
 * the last axis, whichever is meant.
 */
class BatchNormalization extends stock<Stock, object>("BatchNormalization") {
  static override readonly className = "BatchNormalization";

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Kwargs): tf.Tensor | tf.Tensor[] {
    const x = single(inputs);
    const axis = axisOf(this.axis, x.rank);
    if (kwargs.training || (axis === x.rank - 1 && x.rank <= 4)) return super.call(inputs, kwargs);
    return tf.tidy(() => {
      const shape = x.shape.map((size, i) => (i === axis ? size : 1));
      const placed = (weight?: tf.LayerVariable): tf.Tensor | undefined =>
        weight && tf.reshape(weight.read(), shape);
      const inverse = tf.rsqrt(tf.add(placed(this.movingVariance)!, this.epsilon));
      const [gamma, beta] = [placed(this.gamma), placed(this.beta)];
      const y = tf.mul(tf.sub(x, placed(this.movingMean)!), gamma ? tf.mul(inverse, gamma) : inverse);
      return beta ? tf.add(y, beta) : y;
    });
  }
}

export const BATCH_NORMALIZATIONS = { BatchNormalization } as unknown as LayerClasses;
