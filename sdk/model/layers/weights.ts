import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";

type Initializer = ReturnType<typeof tf.initializers.zeros>;
type Regularizer = ReturnType<typeof tf.regularizers.l1>;
type Constraint = ReturnType<typeof tf.constraints.nonNeg>;
type Config = Readonly<Record<string, unknown>>;

/** A part of a layer as a file gives it: a word, { className, config }, or nothing. */
function revived<T>(value: unknown, layer: string): T | undefined {
  if (value === null || value === undefined) return undefined;
  if (value instanceof tf.serialization.Serializable) return value as T;
  const given = typeof value === "string" ? { className: value, config: {} } : (value as Config);
  const name = String(given.className);
  const registry = tf.serialization.SerializationMap.getMap().classNameMap;
  const found = registry[name] ?? registry[name.slice(0, 1).toUpperCase() + name.slice(1)];
  if (!found) {
    const hint = "Save the model without it, or register its class with tf.serialization.registerClass().";
    throw badModel("an initializer, regularizer or constraint that tfjs has", name, `layer "${layer}"`, hint);
  }
  const [kind, fromConfig] = found as unknown as [never, (kind: never, config: unknown) => unknown];
  return fromConfig(kind, given.config ?? {}) as T;
}

function serialized(part: tf.serialization.Serializable | undefined): tf.serialization.ConfigDict | null {
  return part ? { className: part.getClassName(), config: part.getConfig() } : null;
}

/** How a weight begins, what is added to the loss for it, and what it is held to. */
export interface WeightOptions {
  readonly initializer: Initializer;
  readonly regularizer: Regularizer | undefined;
  readonly constraint: Constraint | undefined;
  /** As the layer's configuration has them. */
  readonly config: tf.serialization.ConfigDict;
}

/**
 * The options of the weight "kernel" of a layer: its kernelInitializer, kernelRegularizer and kernelConstraint.
 *
 * @param initial the initializer where the configuration names none
 */
export function weightOptions(given: object, weight: string, initial: string): WeightOptions {
  const config = given as Config;
  const layer = String(config.name ?? "");
  const initializer = revived<Initializer>(config[`${weight}Initializer`] ?? initial, layer)!;
  const regularizer = revived<Regularizer>(config[`${weight}Regularizer`], layer);
  const constraint = revived<Constraint>(config[`${weight}Constraint`], layer);
  return {
    initializer,
    regularizer,
    constraint,
    config: {
      [`${weight}Initializer`]: serialized(initializer),
      [`${weight}Regularizer`]: serialized(regularizer),
      [`${weight}Constraint`]: serialized(constraint),
    },
  };
}

/** The activation function that a layer holds. */
export interface Activation {
  apply(x: tf.Tensor): tf.Tensor;
  getClassName(): string;
}

/** The activation of a configuration; the identity where it has none. */
export function activationOf(config: object): Activation {
  const { activation, name } = config as Config;
  return revived<Activation>(activation ?? "linear", String(name ?? ""))!;
}
