import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import { type Optimizer, rowOf } from "./optimizers.js";
import type { Policy } from "./policy.js";
import type { Recipe } from "./recipe.js";
import { under } from "./state.js";

/** Parameters that share an optimizer and a learning rate. `keys` are state keys such as "variable/conv1/kernel". */
export interface Group {
  readonly name: string;
  readonly keys: readonly string[];
  readonly optimizer: Optimizer;
}

/** Where the running mean of the entry `key` of a state is kept. */
export const averageKey = (key: string): string => `average/${key}`;

/** Whether the parameters of this group have running means where a recipe asks for them. */
export const isAveraged = (group: string): boolean => group === "weights" || group === "scale";

/** Gradients by state keys; absent for what the loss does not depend on. */
export type Gradients = ReadonlyMap<string, tf.Tensor | null | undefined>;

/**
 * One update of all groups, traced: the entries of the state that it changes. Inputs are the state and, for a group, the
 * controls "rate" and "corrected"; "average" where the recipe averages weights.
 */
export function updated(
  groups: readonly Group[],
  { policy, recipe }: { readonly policy: Policy; readonly recipe: Recipe },
  inputs: TensorMap,
  gradients: Gradients,
): TensorMap {
  const outputs: TensorMap = {};
  for (const { name, keys, optimizer } of groups) {
    const shorten = name === "weights" ? shortening(recipe.clipNorm, gradients, keys) : unchanged;
    const row = rowOf(optimizer);
    for (const key of keys) {
      const gradient = gradients.get(key);
      if (!gradient) continue;
      const next = row.update(optimizer, {
        x: inputs[key]!,
        gradient: shorten(gradient),
        slots: Object.fromEntries(row.slots.map((slot) => [slot, inputs[`${slot}/${key}`]!])),
        rate: inputs[`control/rate/${name}`]!,
        corrected: inputs[`control/corrected/${name}`]!,
      });
      const x = project(policy, key, next.x);
      outputs[key] = x;
      for (const [slot, value] of Object.entries(next.slots)) outputs[`${slot}/${key}`] = value;
      if (recipe.averageWeights && isAveraged(name))
        outputs[averageKey(key)] = mean(inputs[averageKey(key)]!, x, inputs["control/average"]!);
    }
  }
  return outputs;
}

/** The names of what the policy trains, where it is among what `gradients` are by. */
const ownNames = (policy: Policy, gradients: Gradients): string[] =>
  Object.keys(policy.parameters).filter((name) => gradients.has(`parameter/${name}`));

/** The gradients by what the policy trains, by name; zero where the loss does not depend on it. */
export function ownOf(policy: Policy, inputs: TensorMap, gradients: Gradients): TensorMap {
  return Object.fromEntries(
    ownNames(policy, gradients).map((name) => {
      const key = `parameter/${name}`;
      const gradient = gradients.get(key);
      return [name, gradient ? tf.clone(gradient) : tf.zerosLike(inputs[key]!)];
    }),
  );
}

/**
 * The gradients of the loss with those of the policy's penalty, which depends on no batch. It is added once for an update, so
 * that the gradient of the loss alone is exactly zero where it has none, however many batches were summed.
 */
export function withPenalty(policy: Policy, inputs: TensorMap, gradients: Gradients): Gradients {
  const { penalty } = policy;
  const names = ownNames(policy, gradients);
  if (!penalty || names.length === 0) return gradients;
  const parameters = under(inputs, "parameter/");
  const { grads } = tf.engine().gradients(
    () => penalty(parameters) as tf.Scalar,
    names.map((name) => parameters[name]!),
    undefined,
    true,
  );
  const whole = new Map(gradients);
  for (const [i, name] of names.entries()) {
    const key = `parameter/${name}`;
    const [ofLoss, ofPenalty] = [gradients.get(key), grads[i]];
    if (ofPenalty) whole.set(key, ofLoss ? tf.add(ofLoss, ofPenalty) : ofPenalty);
  }
  return whole;
}

const unchanged = (x: tf.Tensor): tf.Tensor => x;

/** The running mean after `x`: d mean + (1 - d) x. */
const mean = (known: tf.Tensor, x: tf.Tensor, decay: tf.Tensor): tf.Tensor =>
  tf.add(x, tf.mul(decay, tf.sub(known, x)));

/** Shortens the gradient of all `keys` together to the length `clipNorm` where it is longer (Pascanu et al., 2013). */
function shortening(
  clipNorm: number | undefined,
  gradients: Gradients,
  keys: readonly string[],
): (gradient: tf.Tensor) => tf.Tensor {
  if (clipNorm === undefined) return unchanged;
  const squares = keys.flatMap((key) => {
    const gradient = gradients.get(key);
    return gradient ? [tf.sum(tf.square(gradient))] : [];
  });
  if (squares.length === 0) return unchanged;
  // The least length keeps a gradient of zero from dividing zero by zero.
  const length = tf.maximum(tf.sqrt(tf.addN(squares)), 1e-12);
  const factor = tf.minimum(1, tf.div(clipNorm, length));
  return (gradient) => tf.mul(gradient, factor);
}

function project(policy: Policy, key: string, value: tf.Tensor): tf.Tensor {
  if (key === "parameter/scale") return tf.clipByValue(value, 0.05, 20);
  return key.startsWith("parameter/")
    ? (policy.project?.(key.slice("parameter/".length), value) ?? value)
    : value;
}
