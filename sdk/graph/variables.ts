import type * as tf from "@tensorflow/tfjs";
import { type Layer, shortName, variablesOf } from "./layers.js";
import type { Plan } from "./plan.js";

/** A variable of the model under its stable name `<layer path>/<name inside the layer>`. */
export interface Variable {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
  readonly trainable: boolean;
  /** Id of the weight node that stands on it. */
  readonly node?: string;
}

/** The same, with the object that holds its value. */
export interface HeldVariable extends Omit<Variable, "node"> {
  readonly layer: string;
  /** The last part of `name`, as it is called inside its layer. */
  readonly short: string;
  readonly holder: tf.LayerVariable;
}

/** A variable as a layer reads it, under the name that it has there. */
export interface Read {
  readonly name: string;
  readonly variable: HeldVariable;
}

/** What every layer of a plan reads, by path: its own variables and those that it shares with a layer before it. */
export function readsOf(
  plan: Plan,
  variables: readonly HeldVariable[],
): ReadonlyMap<string, readonly Read[]> {
  const held = new Map(variables.map((variable) => [variable.holder, variable]));
  const reads = ([path, leaf]: [string, Layer]): [string, Read[]] => {
    const own = variablesOf(leaf).map((holder) => {
      const variable = held.get(holder)!;
      return { variable, name: variable.layer === path ? variable.short : shortName(holder, leaf) };
    });
    return [path, own];
  };
  return new Map([...plan.leaves].map(reads));
}

/** All variables, in order of first execution of their layers. A variable shared by two layers belongs to the first. */
export function variablesIn(model: tf.LayersModel, plan: Plan): HeldVariable[] {
  const trained = new Set(model.trainableWeights);
  const seen = new Set<tf.LayerVariable>();
  const names = new Set<string>();
  const unique = (name: string): string => {
    let candidate = name;
    for (let n = 1; names.has(candidate); n++) candidate = `${name}_${n}`;
    names.add(candidate);
    return candidate;
  };
  return [...plan.leaves].flatMap(([layer, leaf]: [string, Layer]) =>
    variablesOf(leaf)
      .filter((holder) => !seen.has(holder) && seen.add(holder))
      .map((holder) => {
        const short = shortName(holder, leaf);
        const { shape, dtype } = holder;
        const name = unique(`${layer}/${short}`);
        return Object.freeze({
          name,
          layer,
          short: name.slice(layer.length + 1),
          shape: shape as number[],
          dtype,
          trainable: trained.has(holder),
          holder,
        });
      }),
  );
}
