import * as tf from "@tensorflow/tfjs";
import { rectified, softmaxOver } from "../activations.js";
import type { LayerClasses } from "./index.js";
import { axisOf, KerasLayer, type Kwargs, type LayerArgs, toList, withoutGradient } from "./layer.js";
import { arriving } from "./masks.js";
import { stock } from "./stock.js";

interface ReLUConfig extends LayerArgs {
  readonly maxValue?: number | null;
  readonly negativeSlope?: number;
  readonly threshold?: number;
}

/** x from `threshold` to `maxValue`, which it does not exceed, and below the threshold negativeSlope (x - threshold). */
class ReLU extends KerasLayer<ReLUConfig> {
  static readonly className = "ReLU";

  protected override compute(x: tf.Tensor): tf.Tensor {
    const { maxValue, negativeSlope = 0, threshold = 0 } = this.config;
    return rectified(x, {
      negative_slope: negativeSlope,
      threshold,
      ...(typeof maxValue === "number" && { max_value: maxValue }),
    });
  }
}

interface Fields {
  readonly axis: number | readonly number[];
}

interface SoftmaxConfig extends LayerArgs {
  readonly axis?: number | readonly number[];
  readonly inputs?: readonly string[];
}

/** exp(x) / sum exp(x) over one axis or several; what a mask covers has no part in it. */
class Softmax extends stock<Fields, SoftmaxConfig>("Softmax") {
  static override readonly className = "Softmax";
  static readonly tensorArguments = ["inputs", "mask"];
  readonly #inputs: readonly string[] | undefined;

  constructor(config: SoftmaxConfig) {
    super(config);
    this.#inputs = config.inputs;
    this.supportsMasking = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Kwargs = {}): tf.Tensor | tf.Tensor[] {
    const [x, given] = toList(inputs) as [tf.Tensor, tf.Tensor?];
    const mask = given ?? arriving(this, kwargs as tf.serialization.ConfigDict);
    if (!mask && this.axis === -1) return super.call([x], {});
    return tf.tidy(() => {
      const axes = [this.axis].flat().map((axis) => axisOf(axis, x.rank));
      if (!mask) return softmaxOver(x, axes);
      const kept = withoutGradient(() => tf.cast(mask, "float32"));
      const least = tf.mul(tf.sub(1, kept), -1e9);
      return tf.mul(softmaxOver(tf.add(tf.mul(x, kept), least), axes), kept);
    });
  }

  override computeOutputShape(given: tf.Shape | tf.Shape[]): tf.Shape {
    return (Array.isArray(given[0]) ? given[0] : given) as tf.Shape;
  }

  override getConfig(): tf.serialization.ConfigDict {
    const inputs = this.#inputs ? { inputs: [...this.#inputs] } : {};
    return { ...super.getConfig(), ...inputs };
  }
}

/** alpha (exp(x) - 1) below 0, x from there on. */
class ELU extends KerasLayer<LayerArgs & { readonly alpha?: number }> {
  static readonly className = "ELU";

  protected override compute(x: tf.Tensor): tf.Tensor {
    const { alpha = 1 } = this.config;
    return alpha === 1 ? tf.elu(x) : tf.add(tf.relu(x), tf.mul(alpha, tf.expm1(tf.minimum(x, 0))));
  }
}

/** x above theta, else 0. */
class ThresholdedReLU extends KerasLayer<LayerArgs & { readonly theta?: number }> {
  static readonly className = "ThresholdedReLU";

  protected override compute(x: tf.Tensor): tf.Tensor {
    const { theta = 1 } = this.config;
    return tf.mul(
      x,
      withoutGradient(() => tf.cast(tf.greater(x, theta), "float32")),
    );
  }
}

export const ACTIVATIONS: LayerClasses = {
  ReLU,
  Softmax,
  ELU,
  ThresholdedReLU,
} as unknown as LayerClasses;
