import type { Tensor } from "@tensorflow/tfjs";

export type TensorMap = Record<string, Tensor>;

/**
 * A computation compiled once and run many times, off the JavaScript thread.
 *
 * The inputs and outputs are maps of tensors. Everything that changes between runs (weights, optimizer slots, learning
 * rate, temperature, step number, seeds) is an input; everything that is to be kept is an output. The caller owns, and
 * disposes, inputs and outputs.
 */
export interface Step {
  /** Runs with inputs of the names of the first run; a new set of shapes is traced anew. Rejects with AutoqnnError. */
  run(inputs: TensorMap): Promise<TensorMap>;
  /** Milliseconds spent tracing so far, and the number of traces. */
  readonly traced: { readonly milliseconds: number; readonly count: number };
  dispose(): void;
}

/**
 * The one way to run tensor programs. Two implementations, one conformance suite: `native` (libtensorflow, the whole
 * step as one function) and `reference` (plain tfjs on its JavaScript backend, eager).
 */
export interface Engine {
  readonly name: "native" | "reference";
  readonly device: "cpu" | "gpu";
  /**
   * Compiles `body`, a pure function written in tfjs operations and in those of `ops.ts`.
   *
   * The trace refuses with `untraceable`, by name of the operation, what it would freeze: values read on the host,
   * random numbers drawn on the host, variables that are not inputs.
   */
  compile(name: string, body: (inputs: TensorMap) => TensorMap): Step;
}
