import type { Tensor } from "@tensorflow/tfjs";
import type { Pipeline } from "./pipeline.js";

export type TensorMap = Record<string, Tensor>;

/**
 * A computation compiled once and run many times, off the JavaScript thread.
 *
 * The inputs and outputs are maps of tensors. Everything that changes between runs (weights, optimizer slots, learning
 * rate, temperature, step number, seeds) is an input; everything that is to be kept is an output. The caller owns, and
 * disposes, inputs and outputs; an input may be disposed, and another run started, while a run is under way.
 */
export interface Step {
  /**
   * Runs with inputs of the names of the first run; a new set of shapes or types is traced anew.
   *
   * Rejects with AutoqnnError: `bad-option` for inputs or outputs that are not maps of live tensors, or do not fit the
   * state, `untraceable` for what the trace refuses, `aborted` for a run that `signal` ended, `engine` with TensorFlow's
   * message for a run that fails. What the body throws comes through.
   */
  run(inputs: TensorMap, options?: RunOptions): Promise<TensorMap>;
  /** Milliseconds spent tracing so far, and the number of traces; 0 where nothing is traced. */
  readonly traced: { readonly milliseconds: number; readonly count: number };
  /** Frees the compiled functions, once the runs under way have ended. Later runs reject with `engine`. */
  dispose(): void;
}

export interface RunOptions {
  /**
   * The body receives its tensors beside the inputs, and outputs of their names take their place instead of being returned. A
   * run that fails, or is cancelled, leaves the state as it was. One run at a time may have it.
   */
  readonly state?: State | undefined;
  /**
   * Cancels the run when it fires, so that a long one is not waited for. On a CPU the native engine ends at the next
   * convolution or matrix product; a run on a GPU, and one of the reference engine, is not ended once it
   * is under way. A run that comes to its end before it hears of the signal succeeds.
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Tensors that steps pass on from run to run, by name. They stay the engine's: what JavaScript would spend on each of them
 * in every run is a good part of a short step.
 */
export interface State {
  /** Clones of what it holds now, of `names` where given; the caller disposes them. */
  read(names?: readonly string[]): TensorMap;
  /** Another state of the same tensors, which no run of this one changes, nor the other way round. It costs no copy. */
  fork(): State;
  dispose(): void;
}

export interface CompileOptions {
  readonly training?: boolean;
}

/**
 * The one way to run tensor programs. Two implementations, one conformance suite: `native` (libtensorflow, the whole
 * step as one function) and `reference` (plain tfjs on its JavaScript backend, eager).
 */
export interface Engine {
  readonly name: "native" | "reference";
  readonly device: "cpu" | "gpu";
  /**
   * Compiles `body`, a pure function written in tfjs operations, their gradients, and the operations of `ops.ts`. It
   * receives its inputs in the order of their names.
   *
   * The native trace refuses with `untraceable`, by name of the operation, what it would freeze: values read on the host,
   * random numbers drawn on the host, variables that are not inputs or are changed, shapes that depend on values, and
   * constants above 64 KB whose elements differ. Tensors made before the trace may be used: the step holds them. The
   * reference engine refuses none of this, since it runs the body every time.
   *
   * @param options `training`: it will run so often that compiling it by XLA may pay, which is done where AUTOQNN_XLA says
   * so, and convolutions and matrix products may be taken in bfloat16, where AUTOQNN_PRECISION says so. What is
   * evaluated is to be what will be deployed.
   * @example
   * const step = engine.compile("descend", ({ w, x, rate }) => {
   *   const { value, grads } = tf.valueAndGrads((v: tf.Tensor) => x.mul(v).square().mean())([w]);
   *   return { loss: value, w: w.sub(grads[0].mul(rate)) };
   * });
   * const { loss, w } = await step.run({ w: weights, x: batch, rate: tf.scalar(0.1) });
   */
  compile(name: string, body: (inputs: TensorMap) => TensorMap, options?: CompileOptions): Step;
  /** A state that begins with these tensors, which it takes over. */
  state(tensors: TensorMap): State;

  /**
   * The batches of one pass over `pipeline`, each made while those before it are used. The caller disposes what it takes;
   * `return()`, which leaving a `for await` calls, frees the rest.
   *
   * On the native engine TensorFlow's tf.data reads, decodes, stretches and cuts on the processor's threads, whatever the
   * device, and what is compiled of the body runs there too; batches then lie on the device. The reference engine makes
   * each batch when it is asked for, from bytes only.
   *
   * Rejects with AutoqnnError `engine` for a batch that fails, with TensorFlow's message, and, on the reference engine, for
   * files; `untraceable` as steps do.
   *
   * @example
   * const body = ({ image, moves, y }: TensorMap) => ({ x: moved(image!, moves!), y: y! });
   * for await (const { x, y } of engine.batches("train", { images, order, rows: { moves, y: labels }, batchSize: 32, body })) {
   *   tf.dispose([x!, y!]);
   * }
   */
  batches(name: string, pipeline: Pipeline): AsyncGenerator<TensorMap, void>;
}
