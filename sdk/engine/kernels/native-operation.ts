import type { KernelBackend, Tensor, TensorInfo } from "@tensorflow/tfjs";

/** What the kernels here use of tfjs's backend on TensorFlow. */
export interface NativeBackend extends KernelBackend {
  /** The project's own operations are expressions of TensorFlow's, since XLA compiles no kernels of ours. */
  readonly expressions: boolean;
  readonly isUsingGpuDevice: boolean;
  readonly binding: Readonly<Record<string, number>>;
  executeMultipleOutputs(
    operation: string,
    attributes: { name: string; type: number; value: unknown }[],
    inputs: TensorInfo[],
    outputs: number,
  ): Tensor[];
}

/** An attribute's kind in TensorFlow, and its value; a type is named as tfjs names it. */
export type Attribute =
  | readonly ["INT", number | readonly number[]]
  | readonly ["FLOAT", number | readonly number[]]
  | readonly ["BOOL", boolean]
  | readonly ["STRING", string]
  | readonly ["TYPE", "float32" | "int32"];

/** Runs one of TensorFlow's operations, or records it where a step is being traced. */
export function operation(
  {
    backend,
    type,
    inputs,
    outputs,
  }: { backend: NativeBackend; type: string; inputs: readonly TensorInfo[]; outputs: number },
  attributes: Readonly<Record<string, Attribute>> = {},
): Tensor[] {
  const { binding } = backend;
  const list = Object.entries(attributes).map(([name, [kind, value]]) => ({
    name,
    type: binding[`TF_ATTR_${kind}`]!,
    value: kind === "TYPE" ? binding[value === "int32" ? "TF_INT32" : "TF_FLOAT"] : value,
  }));
  return backend.executeMultipleOutputs(type, list, [...inputs], outputs);
}
