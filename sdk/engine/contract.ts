import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import type { TensorMap } from "./engine.js";

/** The sorted names of a step's inputs, which are live tensors and have the names of the first run. */
export function checkedInputs(
  step: string,
  inputs: TensorMap,
  expected: readonly string[] | undefined,
): readonly string[] {
  const names = Object.keys(inputs).sort();
  if (expected !== undefined && names.join("\0") !== expected.join("\0")) {
    throw new AutoqnnError(
      "bad-option",
      `Expected the inputs ${expected.join(", ")} at step "${step}", received ${names.join(", ")}.`,
      "Give every run the names of the first.",
    );
  }
  for (const name of names) {
    const value: unknown = inputs[name];
    if (value instanceof tf.Tensor && !value.isDisposed) continue;
    const received = value instanceof tf.Tensor ? "a disposed one" : typeof value;
    throw new AutoqnnError(
      "bad-option",
      `Expected a live tensor, received ${received} at input "${name}" of step "${step}".`,
      "Dispose an input only after the last run that reads it.",
    );
  }
  return names;
}

/** What a body returned, if it is a map of tensors. */
export function checkedOutputs(step: string, outputs: unknown): TensorMap {
  const entries = typeof outputs === "object" && outputs !== null ? Object.entries(outputs) : undefined;
  if (
    entries !== undefined &&
    !(outputs instanceof Promise) &&
    entries.every(([, value]) => value instanceof tf.Tensor)
  ) {
    return outputs as TensorMap;
  }
  const wrong = entries?.find(([, value]) => !(value instanceof tf.Tensor));
  throw new AutoqnnError(
    "bad-option",
    `Expected a map of tensors, received ${outputs instanceof Promise ? "a promise" : wrong ? typeof wrong[1] : typeof outputs} at ${wrong ? `output "${wrong[0]}" of ` : "the outputs of "}step "${step}".`,
    "Write the body as a plain function that returns { name: tensor }.",
  );
}

export function disposedStep(step: string): AutoqnnError {
  return new AutoqnnError(
    "engine",
    `Expected a live step, received a run of "${step}" after dispose.`,
    "Compile it again.",
  );
}
