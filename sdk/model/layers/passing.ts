import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import { KerasLayer, type LayerArgs, single, withoutGradient } from "./layer.js";

class Identity extends KerasLayer {
  static readonly className = "Identity";

  protected override compute(x: tf.Tensor): tf.Tensor {
    return tf.clone(x);
  }
}

/**
 * The inputs of a call, each a tensor of its own: what is there twice comes by way of a layer that changes nothing. tfjs's
 * executor counts down the calls that still need a tensor once for each input, and would let go of it before another call has
 * had it.
 *
 * @param free gives a layer its name
 */
export function apart(inputs: readonly tf.SymbolicTensor[], free: () => string): tf.SymbolicTensor[] {
  return inputs.map((input, i) =>
    inputs.indexOf(input) === i || input.sourceLayer.getClassName() === "InputLayer"
      ? input
      : (tf.layers.activation({ activation: "linear", name: free() }).apply(input) as tf.SymbolicTensor),
  );
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

/** Layers that hand on what arrives, value by value. */
export const PASSING: LayerClasses = { Identity, ActivityRegularization, Masking } as unknown as LayerClasses;
