import * as tf from "@tensorflow/tfjs";
import { rectified, softmaxOver } from "../activations.js";
import type { LayerClasses } from "./index.js";
import {
  axisOf,
  closed,
  KerasLayer,
  type Kwargs,
  type LayerArgs,
  single,
  toList,
  withoutGradient,
} from "./layer.js";
import { arriving } from "./masks.js";
import { layoutOf } from "./spatial.js";
import { stock } from "./stock.js";

class Identity extends KerasLayer {
  static readonly className = "Identity";

  protected override compute(x: tf.Tensor): tf.Tensor {
    return tf.clone(x);
  }
}

interface PenaltyConfig extends LayerArgs {
  readonly l1?: number;
  readonly l2?: number;
}

/** The identity. What it adds to Keras's loss, l1 |x| + l2 x^2, is no part of training here. */
class ActivityRegularization extends KerasLayer<PenaltyConfig> {
  static readonly className = "ActivityRegularization";

  protected override compute(x: tf.Tensor): tf.Tensor {
    return tf.clone(x);
  }
}

interface FlattenConfig extends LayerArgs {
  readonly dataFormat?: string;
}

/** All dimensions but the batch as one, the channels last. */
class Flatten extends KerasLayer<FlattenConfig> {
  static readonly className = "Flatten";

  protected override compute(x: tf.Tensor): tf.Tensor {
    const spatial = Array.from({ length: Math.max(x.rank - 2, 0) }, (_, i) => i + 2);
    const first = layoutOf(this.config.dataFormat).first && x.rank > 2;
    const size = x.shape.slice(1).reduce((a, b) => a * b, 1);
    return tf.reshape(first ? tf.transpose(x, [0, ...spatial, 1]) : x, [x.shape[0]!, size]);
  }

  override computeOutputShape([batch, ...rest]: tf.Shape): tf.Shape {
    const open = rest.includes(null);
    return [batch!, open ? null : closed(rest).reduce((a, b) => a * b, 1)];
  }
}

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

/** Steps whose values all equal `maskValue` become 0, and are left out by what follows. */
class Masking extends KerasLayer<LayerArgs & { readonly maskValue?: number }> {
  static readonly className = "Masking";

  #kept(x: tf.Tensor, keep: boolean): tf.Tensor {
    return withoutGradient(() => tf.any(tf.notEqual(x, this.config.maskValue ?? 0), -1, keep));
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    return tf.mul(
      x,
      withoutGradient(() => tf.cast(this.#kept(x, true), x.dtype)),
    );
  }

  override computeMask(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => this.#kept(single(inputs), false));
  }
}

export const ACTIVATIONS: LayerClasses = {
  Identity,
  ActivityRegularization,
  Flatten,
  ReLU,
  Softmax,
  ELU,
  ThresholdedReLU,
  Masking,
} as unknown as LayerClasses;
