import { AutoqnnError } from "../errors.js";
import type { Engine } from "./engine.js";

export type { Engine, Step, TensorMap } from "./engine.js";

let current: Promise<Engine> | undefined;

/**
 * The process's engine, with its tfjs backend as the current one. The first call loads it (about a second).
 *
 * - `AUTOQNN_ENGINE`: `native` (default), or `reference`, which needs no set-up and is slow.
 * - `AUTOQNN_DEVICE`: `cpu` or `gpu`; by default the GPU where there is an NVIDIA driver.
 * - `AUTOQNN_XLA`: `1` or `0`, whether steps of training are compiled by XLA: for long runs on a GPU; `0` by default.
 * - `AUTOQNN_PRECISION`: `bfloat16` takes the convolutions and matrix products of training in bfloat16; `float32` by default.
 * - `AUTOQNN_THREADS`: threads of the native engine, all cores by default.
 *
 * @throws AutoqnnError `engine` where the native parts are missing, `bad-option` for an unknown value of these variables.
 *
 * @example
 * const step = (await engine()).compile("square", ({ x }) => ({ y: x.square() }));
 * const { y } = await step.run({ x: tf.tensor1d([1, 2, 3]) });
 */
export function engine(): Promise<Engine> {
  current ??= open().catch((error: unknown) => {
    current = undefined;
    throw error;
  });
  return current;
}

async function open(): Promise<Engine> {
  const name = process.env.AUTOQNN_ENGINE || "native";
  // Loaded on demand: tfjs's node kernels alone take most of a second.
  if (name === "native") return (await import("./native/native.js")).nativeEngine();
  if (name === "reference") return (await import("./reference.js")).referenceEngine();
  throw new AutoqnnError(
    "bad-option",
    `Expected "native" or "reference", received "${name}" at AUTOQNN_ENGINE.`,
    "Unset it to use the native engine.",
  );
}
