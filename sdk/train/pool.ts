import * as tf from "@tensorflow/tfjs";

/** The values that passed nodes several times in one pass of the network. */
export interface Pool {
  /** Notes what passes; the layer that made it may let go of it. */
  add(id: string, x: tf.Tensor): void;
  /** All values of each node as one tensor, handed to `use`; the pool is empty afterwards. */
  drain(use: (id: string, values: tf.Tensor) => void): void;
}

/** A pool. The hidden states of all time steps, say, are measured together, as the values of any other node are. */
export function pool(): Pool {
  const held = new Map<string, tf.Tensor[]>();
  return {
    add(id, x) {
      held.set(id, [...(held.get(id) ?? []), tf.keep(tf.reshape(x, [-1]))]);
    },
    drain(use) {
      for (const [id, parts] of held) {
        use(id, tf.concat(parts));
        tf.dispose(parts);
      }
      held.clear();
    },
  };
}
