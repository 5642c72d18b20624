import { checkedOutputs } from "../contract.js";
import type { TensorMap } from "../engine.js";
import type { NativeBackend } from "./backend.js";
import type { Trace } from "./trace.js";

/** A tensor as TensorFlow types it. */
export interface Spec {
  readonly dtype: number;
  readonly shape: readonly number[];
}

export interface NamedSpec extends Spec {
  readonly name: string;
}

/** A body traced for one set of input shapes and types: a function of TensorFlow's context. */
export interface Traced {
  readonly function: string;
  readonly trace: Trace;
  readonly outputs: readonly NamedSpec[];
}

/**
 * Records `body` for these inputs. Throws AutoqnnError `untraceable`, and what the body throws.
 *
 * @param check called with the outputs before there is a function; throws to refuse them
 */
export function traceBody(
  backend: NativeBackend,
  trace: Trace,
  inputs: readonly NamedSpec[],
  body: (inputs: TensorMap) => TensorMap,
  check?: (outputs: readonly NamedSpec[]) => void,
): Traced {
  let outputs: readonly NamedSpec[] = [];
  let ids: number[] = [];
  try {
    backend.record(trace, () => {
      const given = inputs.map(({ name: key, dtype, shape }) => [
        key,
        backend.createOutputTensor(trace.input(dtype, shape)),
      ]);
      const returned = checkedOutputs(trace.step, body(Object.fromEntries(given)));
      ids = backend.getInputTensorIds(Object.values(returned));
      outputs = Object.entries(returned).map(([key, { dataId }]) => {
        const { dtype, shape } = backend.tensorMap.get(dataId);
        return { name: key, dtype, shape };
      });
    });
    check?.(outputs);
    return { function: trace.finish(ids), trace, outputs };
  } catch (error) {
    trace.release();
    throw error;
  }
}
