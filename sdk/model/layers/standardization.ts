import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import { axisOf, KerasLayer, type LayerArgs } from "./layer.js";
import { weightOptions } from "./weights.js";

type Nested = number | readonly Nested[];

interface NormalizationConfig extends LayerArgs {
  readonly axis?: number | readonly number[] | null;
  readonly mean?: Nested | null;
  readonly variance?: Nested | null;
  readonly invert?: boolean;
}

/**
 * (x - mean) / max(sqrt(variance), 1e-7), and with `invert` its inverse. Mean and variance, per position on the kept axes, are
 * weights, unless the configuration gives them.
 */
class Normalization extends KerasLayer<NormalizationConfig> {
  static readonly className = "Normalization";
  #shape: number[] = [];
  #read!: () => { mean: tf.Tensor; variance: tf.Tensor };

  override build(inputShape: tf.Shape): void {
    const { axis = -1, mean, variance } = this.config;
    const kept = [axis ?? []].flat().map((each) => axisOf(each, inputShape.length));
    this.#shape = inputShape.map((size, i) => (kept.includes(i) ? size! : 1));
    if (mean === null || mean === undefined) {
      const shape = inputShape.filter((_, i) => kept.includes(i)) as number[];
      const weights = [
        this.weight("mean", shape, weightOptions({}, "mean", "zeros"), false),
        this.weight("variance", shape, weightOptions({}, "variance", "ones"), false),
      ] as const;
      this.addWeight("count", [], "int32", tf.initializers.zeros(), undefined, false);
      this.#read = () => ({ mean: weights[0].read(), variance: weights[1].read() });
    } else {
      const given = { mean: mean as tf.TensorLike, variance: variance as tf.TensorLike };
      this.#read = () => ({
        mean: tf.tensor(given.mean, undefined, "float32"),
        variance: tf.tensor(given.variance, undefined, "float32"),
      });
    }
    super.build(inputShape);
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const { mean, variance } = this.#read();
    const [center, spread] = [mean, tf.maximum(tf.sqrt(variance), 1e-7)].map((t) => this.#placed(t));
    const values = tf.cast(x, "float32");
    return this.config.invert
      ? tf.add(center!, tf.mul(values, spread!))
      : tf.div(tf.sub(values, center!), spread!);
  }

  /** A value for all kept axes, or for the last of them. */
  #placed(t: tf.Tensor): tf.Tensor {
    const size = this.#shape.reduce((a, b) => a * b, 1);
    if (t.size === size) return tf.reshape(t, this.#shape);
    if (t.size === 1) return tf.reshape(t, []);
    const kept = this.#shape.flatMap((n, i) => (n > 1 ? [i] : [])).slice(-t.rank);
    return tf.reshape(
      t,
      this.#shape.map((_, i) => (kept.includes(i) ? t.shape[kept.indexOf(i)]! : 1)),
    );
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }
}

interface RescalingConfig extends LayerArgs {
  readonly scale: number | readonly number[];
  readonly offset?: number | readonly number[];
}

/** scale x + offset; numbers, or one for each position of the last axis. */
class Rescaling extends KerasLayer<RescalingConfig> {
  static readonly className = "Rescaling";

  protected override compute(x: tf.Tensor): tf.Tensor {
    const { scale, offset = 0 } = this.config;
    return tf.add(tf.mul(tf.cast(x, "float32"), scale as tf.TensorLike), offset as tf.TensorLike);
  }
}

export const STANDARDIZATIONS: LayerClasses = { Normalization, Rescaling };
