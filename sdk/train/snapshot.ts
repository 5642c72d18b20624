import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";

/** A tensor on the host: plain data, safe to keep, copy and write to disk. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly dtype: "float32" | "int32" | "bool";
  readonly data: Float32Array | Int32Array | Uint8Array;
}

/** The number of elements of a shape. */
export const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((product, dimension) => product * dimension, 1);

/**
 * A network between two stages, without a live tensor: the value that every stage takes and returns.
 *
 * `variables` are the model's weights by name. `statistics` holds the running statistic vector of every input node
 * (see `staircase/statistics.ts`), `scales` the learned factor on each node's staircase, `signed` whether a node's
 * values may be negative.
 */
export interface Snapshot {
  readonly variables: Readonly<Record<string, HostTensor>>;
  readonly statistics: Readonly<Record<string, Float32Array>>;
  readonly scales: Readonly<Record<string, number>>;
  readonly signed: Readonly<Record<string, boolean>>;
}

/** Reads every tensor of `map` to the host. The tensors stay alive. */
export async function toHost(map: TensorMap): Promise<Record<string, HostTensor>> {
  const entries = await Promise.all(
    Object.entries(map).map(async ([name, tensor]): Promise<[string, HostTensor]> => {
      const data = await tensor.data();
      return [
        name,
        {
          shape: [...tensor.shape],
          dtype: tensor.dtype as HostTensor["dtype"],
          data: data.slice() as HostTensor["data"],
        },
      ];
    }),
  );
  return Object.fromEntries(entries);
}

/** New tensors with the values of `host`, under the same names. The caller disposes them. */
export function toDevice(host: Readonly<Record<string, HostTensor>>): TensorMap {
  return Object.fromEntries(
    Object.entries(host).map(([name, value]) => [
      name,
      tf.tensor(value.data.slice(), [...value.shape], value.dtype),
    ]),
  );
}
