import * as tf from "@tensorflow/tfjs";

/** What every layer is made from: name, trainable, dtype, input shape. */
export type LayerArgs = NonNullable<ConstructorParameters<typeof tf.layers.Layer>[0]>;

/** The one tensor (or shape) that a layer takes, which tfjs hands over bare or as a list of one. */
export function single<T>(inputs: T | readonly T[]): T {
  return Array.isArray(inputs) ? inputs[0] : (inputs as T);
}

/** What `compute` returns, as a constant of differentiation: conditions and masks have no gradient in tfjs. */
export function withoutGradient<T extends tf.Tensor>(compute: () => T): T {
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))() as T;
}
