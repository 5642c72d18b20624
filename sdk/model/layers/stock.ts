import * as tf from "@tensorflow/tfjs";

type Layer = tf.layers.Layer;

// Read once, when nothing has yet put classes of ours before tfjs's.
const REGISTERED = { ...tf.serialization.SerializationMap.getMap().classNameMap };

/** The layer class that tfjs registers under a name, with the fields that its instances have at run time. */
export function stock<Fields extends object, Config>(
  name: string,
): { new (config: Config): Layer & Fields; className: string } {
  return REGISTERED[name]![0] as unknown as { new (config: Config): Layer & Fields; className: string };
}

/** Whether no class of the program's own is registered under `name`: there may be one of tfjs, or none. */
export function isStock(name: string): boolean {
  const registry = tf.serialization.SerializationMap.getMap().classNameMap;
  return !Object.hasOwn(registry, name) || registry[name] === REGISTERED[name];
}

const CLASSES = new Set<unknown>(Object.values(REGISTERED).map(([kind]) => kind));

/** Whether a class is one that tfjs registers itself. */
export function isOfTfjs(kind: unknown): boolean {
  return CLASSES.has(kind);
}
