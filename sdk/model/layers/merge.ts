import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import type { LayerArgs } from "./layer.js";
import { stock } from "./stock.js";

/**
 * What a step that some inputs see and others do not is to what follows: seen where "all" see it, as in Keras 2, or where
 * "any" does, as in Keras 3.
 */
type Join = "all" | "any";

interface MergeArgs extends LayerArgs {
  readonly joinMasks?: Join;
}

type Tensors = tf.Tensor | tf.Tensor[];

/** What tfjs gives and takes for no mask, though it declares none. */
const NO_MASK = null as unknown as tf.Tensor;

/** Of two masks, and of a mask over the features of each step. */
const JOINS = {
  all: { two: tf.logicalAnd, features: tf.all },
  any: { two: tf.logicalOr, features: tf.any },
} as const;

/** A layer of tfjs that makes one tensor of several, with Keras's masks: tfjs takes that of the first, in a shape of its own. */
function merging(name: string) {
  return class extends stock<object, MergeArgs>(name) {
    readonly joinMasks: Join;

    constructor(config: MergeArgs) {
      super(config);
      this.joinMasks = config.joinMasks ?? "all";
    }

    /** Without a mask on every input, Keras 3 gives none. */
    get needsEveryMask(): boolean {
      return this.joinMasks === "any";
    }

    override computeMask(_: Tensors, given?: Tensors): tf.Tensor {
      const masks = [given].flat();
      const present = masks.filter((mask) => mask != null);
      if (present.length === 0 || (this.needsEveryMask && present.length < masks.length)) return NO_MASK;
      return present.reduce((a, b) => JOINS[this.joinMasks].two(a, b));
    }

    override getConfig(): tf.serialization.ConfigDict {
      return { ...super.getConfig(), ...(this.joinMasks === "any" && { joinMasks: "any" }) };
    }
  };
}

class Add extends merging("Add") {
  static override readonly className = "Add";
}

class Multiply extends merging("Multiply") {
  static override readonly className = "Multiply";
}

class Average extends merging("Average") {
  static override readonly className = "Average";
}

class Concatenate extends merging("Concatenate") {
  static override readonly className = "Concatenate";

  override get needsEveryMask(): boolean {
    return false;
  }

  override computeMask(inputs: Tensors, given?: Tensors): tf.Tensor {
    const masks = [given].flat();
    if (masks.every((mask) => mask == null)) return NO_MASK;
    return tf.tidy(() => {
      const { axis } = this as unknown as { readonly axis: number };
      const whole = [inputs].flat().map((x, i) => {
        const mask = masks[i];
        if (!mask) return tf.ones(x.shape, "bool");
        return mask.rank < x.rank ? tf.broadcastTo(tf.expandDims(mask, -1), x.shape) : mask;
      });
      return JOINS[this.joinMasks].features(tf.concat(whole, axis), -1);
    });
  }
}

/** The difference of two tensors. */
class Subtract extends merging("Add") {
  static override readonly className = "Subtract";

  mergeFunction(inputs: tf.Tensor[]): tf.Tensor {
    return tf.sub(inputs[0]!, inputs[1]!);
  }
}

/** Tensors of one rank at the shape they share. (The gradients of tfjs's maximum and minimum forget that they broadcast.) */
function alike(inputs: readonly tf.Tensor[]): tf.Tensor[] {
  const shape = inputs[0]!.shape.map((_, i) => Math.max(...inputs.map((x) => x.shape[i]!)));
  return inputs.map((x) => (x.shape.join() === shape.join() ? x : tf.broadcastTo(x, shape)));
}

/** The largest of several values. */
class Maximum extends merging("Maximum") {
  static override readonly className = "Maximum";

  mergeFunction(inputs: tf.Tensor[]): tf.Tensor {
    return alike(inputs).reduce((most, x) => tf.maximum(most, x));
  }
}

/** The smallest of several values. */
class Minimum extends merging("Minimum") {
  static override readonly className = "Minimum";

  mergeFunction(inputs: tf.Tensor[]): tf.Tensor {
    return alike(inputs).reduce((least, x) => tf.minimum(least, x));
  }
}

interface CustomScaleLayerConfig extends MergeArgs {
  readonly scale: number;
}

/** y = x[0] + scale x[1], which Keras has for InceptionResNetV2 (keras.src.applications). */
class CustomScaleLayer extends merging("Add") {
  static override readonly className = "CustomScaleLayer";
  readonly #scale: number;

  constructor(config: CustomScaleLayerConfig) {
    super(config);
    this.#scale = config.scale;
  }

  mergeFunction(inputs: tf.Tensor[]): tf.Tensor {
    return tf.add(inputs[0]!, tf.mul(inputs[1]!, this.#scale));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), scale: this.#scale };
  }
}

export const MERGES = {
  ...{ Add, Average, Concatenate, CustomScaleLayer, Maximum, Minimum, Multiply, Subtract },
} as unknown as LayerClasses;
