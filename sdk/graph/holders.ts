import * as tf from "@tensorflow/tfjs";
import { isBuiltIn } from "../model/layers/builtIn.js";
import { type Layer, shortName, variablesOf, within } from "./layers.js";

/** What holds the value of a variable. */
export type Holder = Pick<tf.LayerVariable, "id" | "read" | "write">;

/** A property that holds the tensor of a variable itself. */
export interface Place {
  readonly object: object;
  readonly property: string;
}

/** A variable as it is held by one leaf. */
export interface Held {
  readonly holder: Holder;
  /** Its name inside the leaf. */
  readonly short: string;
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
  /** Whether it is a tf.Variable that a layer keeps beside its weights. Nothing trains it, and tfjs saves it nowhere. */
  readonly constant: boolean;
  /** Where the call of a layer that is not built in may reach the tensor past the holder. */
  readonly places: readonly Place[];
}

/** The same tf.Variable has the same holder, whoever asks. */
const constants = new WeakMap<tf.Variable, Holder>();

/** The variables a leaf reads: its weights, then the tf.Variables that classes that are not built in keep beside them. */
export function holdersIn(leaf: Layer): Held[] {
  const places = placesIn(leaf);
  const weights = variablesOf(leaf).map((holder): Held => {
    const { shape, dtype } = holder;
    const own = { holder, short: shortName(holder, leaf), shape: shape as number[], dtype, constant: false };
    if (!places) return { ...own, places: [] };
    const value = Reflect.get(holder, "val") as tf.Variable;
    const found = places.get(value) ?? [];
    places.delete(value);
    return { ...own, places: [{ object: holder, property: "val" }, ...found] };
  });
  const beside = [...(places ?? [])].map(([variable, found]): Held => {
    const holder: Holder = constants.get(variable) ?? {
      id: variable.id,
      read: () => variable,
      write: (value) => {
        variable.assign(value);
        return holder as tf.LayerVariable;
      },
    };
    constants.set(variable, holder);
    const { shape, dtype } = variable;
    return { holder, short: found[0]!.name, shape, dtype, constant: true, places: found };
  });
  return [...weights, ...beside];
}

/** The properties of layers that are not built in that hold tf.Variables, by variable; absent where all are built in. */
function placesIn(leaf: Layer): Map<tf.Variable, (Place & { readonly name: string })[]> | undefined {
  const foreign = within(leaf).filter((layer) => !isBuiltIn(layer));
  if (foreign.length === 0) return undefined;
  const places = new Map<tf.Variable, (Place & { readonly name: string })[]>();
  const visit = (object: object, prefix: string): void => {
    for (const [property, value] of Object.entries(object)) {
      const name = `${prefix}${property}`;
      if (value instanceof tf.Variable)
        places.set(value, [...(places.get(value) ?? []), { object, property, name }]);
      else if (Array.isArray(value) && prefix === "") visit(value, `${name}_`);
    }
  };
  for (const layer of foreign) visit(layer, "");
  return places;
}
