import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import type { Gradients } from "./updating.js";

/** Where the sum of the gradients of the entry `key` of a state is kept between the batches of an update; 0 between updates. */
export const sumKey = (key: string): string => `sum/${key}`;

/** The sums after a batch that is not the last of its update. */
export function added(inputs: TensorMap, gradients: Gradients): TensorMap {
  const known = [...gradients].filter((entry): entry is [string, tf.Tensor] => entry[1] != null);
  return Object.fromEntries(
    known.map(([key, gradient]) => [sumKey(key), tf.add(inputs[sumKey(key)]!, gradient)]),
  );
}

/**
 * The mean gradients of the `batches` of an update, at its last one, and the sums, which begin anew. For batches of one size
 * it is the gradient of all their examples together, since a loss is a mean.
 */
export function mean(
  batches: number,
  inputs: TensorMap,
  gradients: Gradients,
): { readonly gradients: Gradients; readonly cleared: TensorMap } {
  if (batches === 1) return { gradients, cleared: {} };
  const whole = new Map(
    [...gradients].map(([key, gradient]) => [
      key,
      gradient && tf.div(tf.add(inputs[sumKey(key)]!, gradient), batches),
    ]),
  );
  const keys = [...whole].flatMap(([key, gradient]) => (gradient ? [key] : []));
  return {
    gradients: whole,
    cleared: Object.fromEntries(keys.map((key) => [sumKey(key), tf.zerosLike(inputs[sumKey(key)]!)])),
  };
}
