import * as tf from "@tensorflow/tfjs";

/** Runs `body` with another tfjs backend as the current one. Both backends must be initialised. */
export function onBackend<T>(name: string, body: () => T): T {
  const previous = tf.getBackend();
  if (previous === name) return body();
  // Its promise is settled before it is returned: an initialised backend is set without waiting.
  void tf.setBackend(name);
  try {
    return body();
  } finally {
    void tf.setBackend(previous);
  }
}
