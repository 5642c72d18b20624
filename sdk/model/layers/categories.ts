import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import type { LayerClasses } from "./index.js";
import { KerasLayer, type LayerArgs, withoutGradient } from "./layer.js";

type Mode = "int" | "oneHot" | "multiHot" | "count";

/** Categories as vectors of `size` numbers: a 1 for each value, or, over the last dimension, for those that occur. */
function encoded(indices: tf.Tensor, size: number, mode: Mode): tf.Tensor {
  const positions = tf.cast(indices, "int32");
  if (mode === "oneHot") {
    const bare = positions.shape.at(-1) === 1 && positions.rank > 1 ? tf.squeeze(positions, [-1]) : positions;
    return tf.cast(tf.oneHot(bare as tf.Tensor1D, size), "float32");
  }
  const hot = tf.cast(tf.oneHot(positions as tf.Tensor1D, size), "float32");
  return mode === "count" ? tf.sum(hot, -2) : tf.max(hot, -2);
}

function encodedShape(shape: tf.Shape, size: number, mode: Mode): tf.Shape {
  if (mode === "int") return shape;
  const bare = mode !== "oneHot" || (shape.at(-1) === 1 && shape.length > 1) ? shape.slice(0, -1) : shape;
  return [...bare, size];
}

interface CategoryConfig extends LayerArgs {
  readonly numTokens: number;
  readonly outputMode?: Mode;
}

/** Whole numbers as vectors of `numTokens`. */
class CategoryEncoding extends KerasLayer<CategoryConfig> {
  static readonly className = "CategoryEncoding";

  protected override compute(x: tf.Tensor): tf.Tensor {
    const { numTokens, outputMode = "multiHot" } = this.config;
    return withoutGradient(() => encoded(x, numTokens, outputMode));
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return encodedShape(inputShape, this.config.numTokens, this.config.outputMode ?? "multiHot");
  }
}

interface DiscretizationConfig extends LayerArgs {
  readonly binBoundaries?: readonly number[] | null;
  readonly outputMode?: Mode;
}

/** The number of boundaries that a value reaches, or that number as a vector. */
class Discretization extends KerasLayer<DiscretizationConfig> {
  static readonly className = "Discretization";
  readonly #boundaries: readonly number[];

  constructor(config: DiscretizationConfig) {
    super(config);
    if (!config.binBoundaries) {
      const hint = "Give the layer its bin_boundaries, which Keras leaves out of the file after adapt().";
      throw badModel("bin_boundaries", "none", `layer "${this.name}"`, hint);
    }
    this.#boundaries = config.binBoundaries;
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const { outputMode = "int" } = this.config;
    return withoutGradient(() => {
      const reached = tf.greaterEqual(tf.expandDims(x, -1), tf.tensor1d([...this.#boundaries]));
      const bin = tf.sum(tf.cast(reached, "int32"), -1);
      return outputMode === "int" ? bin : encoded(bin, this.#boundaries.length + 1, outputMode);
    });
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return encodedShape(inputShape, this.#boundaries.length + 1, this.config.outputMode ?? "int");
  }
}

export const CATEGORIES: LayerClasses = { CategoryEncoding, Discretization };
