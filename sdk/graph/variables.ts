import type * as tf from "@tensorflow/tfjs";
import { type Held, type Holder, holdersIn } from "./holders.js";
import type { Layer } from "./layers.js";
import type { Patches } from "./patches.js";
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

/** The same, with what holds its value. `short` is the last part of `name`. */
export interface HeldVariable extends Omit<Variable, "node">, Held {
  readonly layer: string;
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
    const own = holdersIn(leaf).map(({ holder, short }) => {
      const variable = held.get(holder)!;
      return { variable, name: variable.layer === path ? variable.short : short };
    });
    return [path, own];
  };
  return new Map([...plan.leaves].map(reads));
}

/** All variables, in order of first execution of their layers. A variable shared by two layers belongs to the first. */
export function variablesIn(model: tf.LayersModel, plan: Plan): HeldVariable[] {
  const trained = new Set<Holder>(model.trainableWeights);
  const listed = new Set<Holder>(model.weights);
  // Weights of layers that a layer holds inside are not the model's, unless it says so itself.
  const isTrained = ({ holder, constant }: Held, leaf: Layer): boolean =>
    listed.has(holder)
      ? trained.has(holder)
      : !constant && leaf.trainable && (holder as tf.LayerVariable).trainable;
  const seen = new Map<Holder, HeldVariable>();
  const names = new Set<string>();
  const unique = (name: string): string => {
    let candidate = name;
    for (let n = 1; names.has(candidate); n++) candidate = `${name}_${n}`;
    names.add(candidate);
    return candidate;
  };
  for (const [layer, leaf] of plan.leaves) {
    for (const held of holdersIn(leaf)) {
      const { holder, places } = held;
      const known = seen.get(holder);
      if (known) {
        seen.set(holder, { ...known, places: [...known.places, ...places] });
        continue;
      }
      const name = unique(`${layer}/${held.short}`);
      const own = { name, short: name.slice(layer.length + 1), layer, trainable: isTrained(held, leaf) };
      seen.set(holder, { ...held, ...own });
    }
  }
  return [...seen.values()].map((variable) => Object.freeze(variable));
}

/** Lets layers read `tensor` where they read `variable`, and hand what they write to `write`. */
export function standIn(
  { holder, places }: HeldVariable,
  instances: Patches,
  read: () => tf.Tensor,
  write: (value: tf.Tensor) => void,
): void {
  instances.set(holder, "read", read);
  instances.set(holder, "write", (value: tf.Tensor) => {
    write(value);
    return holder;
  });
  for (const { object, property } of places) instances.set(object, property, read());
}
