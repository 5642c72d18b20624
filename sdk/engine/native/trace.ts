import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { hostRandom, operations } from "../hostRandom.js";
import type { Addon, Attribute, Graph, HostValues, Metadata } from "./addon.js";
import { reason } from "./addon.js";
import { gated } from "./gates.js";
import { narrowed } from "./precision.js";

/** Constants above this size do not belong into a graph; equal elements count as one. */
const LARGEST_CONSTANT = 64 * 1024;
const SMALLEST_FILL = 64;

/**
 * Operations whose outputs TensorFlow's memory optimizer makes anew where the backward pass needs them, instead of keeping
 * them: quantized values take the room of what they were made of once more, and a moment to make.
 */
const RECOMPUTED = new Set(["AutoqnnStaircase", "AutoqnnLevels"]);

/** The memory optimizer knows operations of the backward pass by this beginning of their names. */
function scope(): string {
  const backward = tf.engine().state.scopeStack.some(({ name }) => name === "backward");
  return backward ? "gradients/" : "";
}

function bytesOf(values: Exclude<HostValues, Uint8Array[]>): Buffer {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength);
}

/** Compares bits, since 0 and -0 are equal and two NaN are not. */
function allEqual(bytes: Buffer, width: number): boolean {
  return bytes.length > width && bytes.subarray(width).equals(bytes.subarray(0, bytes.length - width));
}

export interface TraceOptions {
  /** Whether XLA compiles the function. */
  readonly xla?: boolean;
  /** Whether operations are taken in bfloat16 where mixed precision does so. */
  readonly narrow?: boolean;
  /** Whether a run ends early when it is cancelled. */
  readonly gates?: boolean;
  /** The graph to record into; a new one when absent. */
  readonly graph?: Graph;
}

/**
 * One recording of a step's body: a graph that grows with each operation, and what it refuses.
 *
 * Values of the graph have ids below 0, so that no id of an eager tensor is taken for one.
 */
export class Trace {
  private readonly graph: Graph;
  private readonly constants = new Map<string, number>();
  private readonly captures = new Map<number, { held: number; value: number; dtype: number }>();
  private readonly inputs: number[] = [];
  /** The first refusal, kept for a body that catches it. */
  private refusal: AutoqnnError | undefined;

  constructor(
    private readonly addon: Addon,
    readonly step: string,
    private readonly options: TraceOptions = {},
  ) {
    this.graph = options.graph ?? new addon.Graph();
  }

  /** Ids of the eager tensors that the body uses, held until `release`; they follow the inputs. */
  get captured(): number[] {
    return [...this.captures.values()].map((capture) => capture.held);
  }

  /** Their TensorFlow dtypes. */
  get capturedTypes(): number[] {
    return [...this.captures.values()].map((capture) => capture.dtype);
  }

  input(dtype: number, shape: readonly number[]): Metadata {
    const metadata = this.graph.placeholder(dtype, shape);
    this.inputs.push(metadata.id);
    return metadata;
  }

  operation(
    type: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
  ): Metadata[] {
    try {
      const { TF_FLOAT, TF_BFLOAT16 } = this.addon;
      const floating = attributes.some(({ name, value }) => name === "T" && value === TF_FLOAT);
      const ready = floating ? this.gate(type, inputs) : inputs;
      const numbers = this.options.narrow && floating ? narrowed(type) : undefined;
      if (numbers === undefined) return this.add(type, attributes, ready, outputs);
      const narrow = ready.map((id, i) =>
        numbers.includes(i) ? this.cast(id, TF_FLOAT, TF_BFLOAT16).id : id,
      );
      const typed = attributes.map((item) => (item.name === "T" ? { ...item, value: TF_BFLOAT16 } : item));
      return this.add(type, typed, narrow, outputs).map(({ id }) => this.cast(id, TF_BFLOAT16, TF_FLOAT));
    } catch (error) {
      throw this.refuse(
        `Expected operations whose types and shapes are known before the run at step "${this.step}", received ${reason(error)} ${this.where()}.`,
        "Compute this part outside of the step, and pass it as an input.",
        error,
      );
    }
  }

  private add(
    type: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    outputs: number,
  ): Metadata[] {
    const hints = RECOMPUTED.has(type)
      ? [{ name: "_recompute_hint", type: this.addon.TF_ATTR_INT, value: 0 }]
      : [];
    const all = [...attributes, ...hints];
    return this.graph.operation(type, all, inputs, outputs, scope()).map(({ shape, ...value }) => {
      if (shape === null) throw new Error(`${type}: the shape of its output depends on values`);
      return { ...value, shape };
    });
  }

  /** The inputs, those of long operations behind a gate. */
  private gate(type: string, inputs: readonly number[]): readonly number[] {
    const numbers = this.options.gates ? gated(type) : undefined;
    if (numbers === undefined) return inputs;
    const { TF_FLOAT, TF_ATTR_TYPE, TF_ATTR_INT } = this.addon;
    const attributes = [
      { name: "N", type: TF_ATTR_INT, value: numbers.length },
      { name: "T", type: TF_ATTR_TYPE, value: TF_FLOAT },
    ];
    const behind = this.add(
      "AutoqnnGate",
      attributes,
      numbers.map((i) => inputs[i]!),
      numbers.length,
    );
    return inputs.map((id, i) => behind[numbers.indexOf(i)]?.id ?? id);
  }

  private cast(id: number, from: number, to: number): Metadata {
    const type = this.addon.TF_ATTR_TYPE;
    const types = [
      { name: "SrcT", type, value: from },
      { name: "DstT", type, value: to },
    ];
    return this.add("Cast", types, [id], 1)[0]!;
  }

  /** To be called when the body writes values of the host, since they reach a kernel only later. */
  refuseRandom(): void {
    const random = hostRandom();
    if (random === undefined) return;
    throw this.refuse(
      `Expected no random numbers drawn on the host at step "${this.step}", received the operation "${random}".`,
      "Draw with uniform(shape, seed), and pass the seed as an input.",
    );
  }

  /** The id of values of the host; equal ones share it. */
  constant(shape: readonly number[], dtype: number, values: HostValues): number {
    if (Array.isArray(values)) return this.graph.constant(shape, dtype, values).id;
    const bytes = bytesOf(values);
    const count = shape.reduce((product, size) => product * size, 1);
    const width = bytes.length / Math.max(count, 1);
    const fill = count >= SMALLEST_FILL && allEqual(bytes, width);
    if (!fill && bytes.length > LARGEST_CONSTANT) {
      throw this.refuse(
        `Expected constants of at most ${LARGEST_CONSTANT} bytes at step "${this.step}", received ${bytes.length} bytes of shape [${shape}] ${this.where()}.`,
        "Pass the values as an input, or make the tensor before the step is compiled.",
      );
    }
    const key = `${dtype}[${shape}]${fill ? "=" : ":"}${bytes.toString("latin1", 0, fill ? width : bytes.length)}`;
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const id = fill
      ? this.fill(shape, dtype, values.subarray(0, values.length / count))
      : this.graph.constant(shape, dtype, values).id;
    this.constants.set(key, id);
    return id;
  }

  private fill(shape: readonly number[], dtype: number, element: HostValues): number {
    const { TF_ATTR_TYPE: type, TF_INT32 } = this.addon;
    const attributes = [
      { name: "T", type, value: dtype },
      { name: "index_type", type, value: TF_INT32 },
    ];
    const sizes = this.constant([shape.length], TF_INT32, Int32Array.from(shape));
    const value = this.constant([], dtype, element);
    return this.graph.operation("Fill", attributes, [sizes, value], 1, scope())[0]!.id;
  }

  /** The graph's value for an eager tensor: an input that the step feeds itself. */
  capture(id: number, dtype: number, shape: readonly number[]): number {
    const known = this.captures.get(id);
    if (known !== undefined) return known.value;
    const value = this.graph.placeholder(dtype, shape).id;
    this.captures.set(id, { held: this.addon.retainTensor(id), value, dtype });
    return value;
  }

  refuseReading(): AutoqnnError {
    return this.refuse(
      `Expected values to stay on the device at step "${this.step}", received a read of a tensor's values ${this.where()}.`,
      "Return the tensor from the step, and read it there.",
    );
  }

  refuseVariable(name: string): AutoqnnError {
    return this.refuse(
      `Expected the variable "${name}" among the inputs of step "${this.step}", received a use of it ${this.where()}.`,
      "Pass it as an input, and return what it becomes.",
    );
  }

  refuseAssignment(name: string): AutoqnnError {
    return this.refuse(
      `Expected step "${this.step}" to return new values, received a change of the variable "${name}" in its body.`,
      "Return the new value from the step, and assign it there.",
    );
  }

  refuseStep(name: string): AutoqnnError {
    return this.refuse(
      `Expected tfjs operations at step "${this.step}", received a run of step "${name}" in its body.`,
      "Call the other step's body instead.",
    );
  }

  /** Registers the function. Throws the first refusal, even if the body went on after it. */
  finish(outputs: readonly number[]): string {
    if (this.refusal !== undefined) throw this.refusal;
    const values = [...this.captures.values()].map((capture) => capture.value);
    const label = this.step.replace(/\W/g, "_").replace(/^_*/, "step_");
    return this.graph.finish(label, [...this.inputs, ...values], outputs, this.options.xla ?? false);
  }

  /** Lets go of the captured tensors. */
  release(): void {
    for (const { held } of this.captures.values()) this.addon.deleteTensor(held);
    this.captures.clear();
  }

  private where(): string {
    const name = operations().at(-1);
    return name === undefined ? "in its body" : `in the operation "${name}"`;
  }

  private refuse(message: string, hint: string, cause?: unknown): AutoqnnError {
    const error = new AutoqnnError("untraceable", message, hint, { cause });
    this.refusal ??= error;
    return error;
  }
}
