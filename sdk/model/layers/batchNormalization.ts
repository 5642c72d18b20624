import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import { axisOf, type Kwargs, type LayerArgs, single } from "./layer.js";
import { stock } from "./stock.js";

interface Stock {
  readonly axis: number;
  readonly epsilon: number;
  readonly gamma?: tf.LayerVariable;
  readonly beta?: tf.LayerVariable;
  readonly movingMean: tf.LayerVariable;
  readonly movingVariance: tf.LayerVariable;
}

interface BatchNormalizationConfig extends LayerArgs {
  readonly inputs?: readonly string[];
}

/**
 * tfjs's own, which has no inference for more than four dimensions, and on its JavaScript backend repeats the parameters along
 * the last axis, whichever is meant.
 */
class BatchNormalization extends stock<Stock, BatchNormalizationConfig>("BatchNormalization") {
  static override readonly className = "BatchNormalization";
  static readonly tensorArguments = ["inputs", "mask"];

  /** The call arguments that the inputs are. A mask matters in training alone: what it covers has no part in the moments. */
  readonly operands: readonly string[];

  constructor(config: BatchNormalizationConfig) {
    super(config);
    this.operands = config.inputs ?? ["inputs"];
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    super.build(firstOf(inputShape));
    // It says that there is one input.
    if (this.operands.length > 1) this.inputSpec = [];
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    return super.computeOutputShape(firstOf(inputShape));
  }

  override computeMask(
    inputs: tf.Tensor | tf.Tensor[],
    mask?: tf.Tensor | tf.Tensor[],
  ): tf.Tensor | tf.Tensor[] {
    return super.computeMask(single(inputs), mask && single(mask));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...(this.operands.length > 1 && { inputs: [...this.operands] }) };
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Kwargs): tf.Tensor | tf.Tensor[] {
    const x = single(inputs);
    const axis = axisOf(this.axis, x.rank);
    if (kwargs.training || (axis === x.rank - 1 && x.rank <= 4)) return super.call(x, kwargs);
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

const firstOf = (shape: tf.Shape | tf.Shape[]): tf.Shape =>
  (Array.isArray(shape[0]) ? shape[0] : shape) as tf.Shape;

export const BATCH_NORMALIZATIONS = { BatchNormalization } as unknown as LayerClasses;
