import * as tf from "@tensorflow/tfjs";
import type { WeightOptions } from "./weights.js";

/** What every layer is made from: name, trainable, dtype, input shape. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof tf.layers.Layer>[0]>;

/** The one tensor (or shape) that a layer takes, which tfjs hands over bare or as a list of one. */
export function single<T>(inputs: T | readonly T[]): T {
  return Array.isArray(inputs) ? inputs[0] : (inputs as T);
}

/** All tensors of a call. */
export function toList<T>(inputs: T | readonly T[]): readonly T[] {
  return Array.isArray(inputs) ? inputs : [inputs as T];
}

/** A shape without open dimensions: what a layer is given when it is called, or built on where it needs every size. */
export function closed(shape: tf.Shape): number[] {
  return shape as number[];
}

/** `axis`, counted from the front. */
export function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

/** What `compute` returns, as a constant of differentiation: conditions and masks have no gradient in tfjs. */
export function withoutGradient<T extends tf.Tensor>(compute: () => T): T {
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))() as T;
}

/** What a call is told beside its input: `training`, and what tfjs leaves there. */
export type Kwargs = Readonly<Record<string, unknown>>;

/**
 * A layer of one tensor, whose configuration is saved as it came. Unless a subclass says otherwise its output has the
 * shape of its input, and a mask passes through.
 */
export abstract class KerasLayer<Config extends LayerArgs = LayerArgs> extends tf.layers.Layer {
  constructor(protected readonly config: Config) {
    super(config);
    this.supportsMasking = true;
  }

  protected abstract compute(x: tf.Tensor, kwargs: Kwargs): tf.Tensor;

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Kwargs = {}): tf.Tensor {
    return tf.tidy(() => this.compute(single(inputs), kwargs));
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape;
  }

  protected weight(
    name: string,
    shape: number[],
    options: WeightOptions,
    trainable = true,
  ): tf.LayerVariable {
    const { initializer, regularizer, constraint } = options;
    return this.addWeight(name, shape, "float32", initializer, regularizer, trainable, constraint);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...this.config, ...super.getConfig(), ...this.parts() } as tf.serialization.ConfigDict;
  }

  /** What of the configuration are objects of their own: initializers, activations. */
  protected parts(): tf.serialization.ConfigDict {
    return {};
  }
}
