import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import type { State, TensorMap } from "./engine.js";

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

/** Refuses a state that is in use, disposed or another engine's, and inputs of its names. */
export function checkedState<T extends State>(
  step: string,
  state: State | undefined,
  inputs: TensorMap,
  kind: new (
    ...args: never[]
  ) => T & { readonly busy: boolean; readonly disposed: boolean; readonly names: readonly string[] },
): T | undefined {
  if (state === undefined) return undefined;
  const refuse = (expected: string, received: string, hint: string): never => {
    throw new AutoqnnError(
      "bad-option",
      `Expected ${expected} at step "${step}", received ${received}.`,
      hint,
    );
  };
  if (!(state instanceof kind) || state.disposed) {
    const received = state instanceof kind ? "a disposed one" : "another";
    return refuse("a live state of this engine", received, "Make it with the engine's state().");
  }
  if (state.busy) return refuse("a state that no run has", "one in use", "Await the run before.");
  const twice = state.names.find((name) => name in inputs);
  if (twice !== undefined) {
    return refuse(
      "inputs of other names than the state's",
      `"${twice}" in both`,
      "Leave it out of the inputs.",
    );
  }
  return state;
}

/** Refuses an output that cannot take the place of what the state holds under its name. */
export function checkFits(
  step: string,
  { name, shape, dtype }: { name: string; shape: readonly number[]; dtype: unknown },
  held: { shape: readonly number[]; dtype: unknown } | undefined,
): void {
  if (held === undefined || (held.dtype === dtype && held.shape.join() === shape.join())) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected an output of shape [${held.shape}] and the type of the state at "${name}" of step "${step}", received [${shape}].`,
    "Return what takes the place of a tensor of the state in its shape and type.",
  );
}

/** Refuses to read from a disposed state, and what it does not hold. */
export function checkHeld(
  { disposed, names }: { readonly disposed: boolean; readonly names: readonly string[] },
  wanted: readonly string[],
): void {
  const missing = disposed ? undefined : wanted.find((name) => !names.includes(name));
  if (!disposed && missing === undefined) return;
  throw new AutoqnnError(
    "bad-option",
    disposed
      ? "Expected a live state to read, received a disposed one."
      : `Expected names that the state holds, received "${missing}".`,
    "Read before it is disposed, by the names of the tensors that it began with.",
  );
}

/** For a run that its signal ended, or kept from beginning. */
export function cancelledStep(step: string): AutoqnnError {
  return new AutoqnnError(
    "aborted",
    `The run of step "${step}" was cancelled.`,
    "Run it again: its inputs and its state are as they were.",
  );
}

/** What TensorFlow, XLA and the C++ library say where memory is refused. */
const OUT_OF_MEMORY = /RESOURCE_EXHAUSTED|\bOOM\b|out of memory|bad_alloc/i;

/** For a run that failed: `out-of-memory` where it asked for more than there is, `engine` otherwise. */
export function failedStep(step: string, cause: unknown): AutoqnnError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const message = `Step "${step}" failed: ${why}.`;
  return OUT_OF_MEMORY.test(why)
    ? new AutoqnnError("out-of-memory", message, "Give it smaller batches, or free memory.", { cause })
    : new AutoqnnError("engine", message, "Check its inputs.", { cause });
}

export function disposedStep(step: string): AutoqnnError {
  return new AutoqnnError(
    "engine",
    `Expected a live step, received a run of "${step}" after dispose.`,
    "Compile it again.",
  );
}
