import * as tf from "@tensorflow/tfjs";

type Config = tf.serialization.ConfigDict;

/** A layer inside the configuration of another. */
export interface Described {
  readonly className: string;
  readonly config: Config;
}

/** What makes layers of a class. */
export interface Revivable {
  fromConfig(kind: unknown, config: Config): tf.layers.Layer;
}

/** Makes the layer that a configuration describes, by the class that is registered under its name. */
export function revived({ className, config }: Described): tf.layers.Layer {
  const [kind] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
  return (kind as unknown as Revivable).fromConfig(kind, config);
}
