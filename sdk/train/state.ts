import type { TensorMap } from "../engine/engine.js";
import type { QuantizedGraph } from "../graph/graph.js";
import type { Policy } from "./policy.js";
import { type HostTensor, type Snapshot, toDevice } from "./snapshot.js";

/**
 * The flat map of tensors that a program takes: "variable/*" the model's weights, "statistics/*" running statistic
 * vectors, "parameter/*" what a policy trains, and "parameter/scale" the learned factor of every node, in graph order.
 */
export function hostState(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  policy: Policy,
): Record<string, HostTensor> {
  const scales = Float32Array.from(graph.nodes, (node) => snapshot.scales[node.id] ?? 1);
  return {
    ...prefixed("variable/", snapshot.variables),
    ...prefixed("statistics/", mapValues(snapshot.statistics, vector)),
    ...prefixed("parameter/", policy.parameters),
    "parameter/scale": vector(scales),
  };
}

/** `hostState` as tensors, which the caller disposes. */
export function stateOf(graph: QuantizedGraph, snapshot: Snapshot, policy: Policy): TensorMap {
  return toDevice(hostState(graph, snapshot, policy));
}

/** The snapshot that a state holds. */
export function snapshotOf(
  graph: QuantizedGraph,
  signed: Snapshot["signed"],
  state: Readonly<Record<string, HostTensor>>,
): Snapshot {
  const scales = state["parameter/scale"]!.data;
  return {
    variables: under(state, "variable/"),
    statistics: mapValues(under(state, "statistics/"), (tensor) => tensor.data as Float32Array),
    scales: Object.fromEntries(graph.nodes.map((node, index) => [node.id, scales[index]!])),
    signed,
  };
}

/** `data` as a host tensor of rank 1. */
export const vector = (data: Float32Array): HostTensor => ({ shape: [data.length], dtype: "float32", data });

/** `value` as a host tensor of rank 0. */
export const scalar = (value: number): HostTensor => ({
  shape: [],
  dtype: "float32",
  data: Float32Array.of(value),
});

/** `map` with `prefix` before every key. */
export function prefixed<T>(prefix: string, map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [prefix + key, value]));
}

/** The entries of `map` whose key starts with `prefix`, without it. */
export function under<T>(map: Readonly<Record<string, T>>, prefix: string): Record<string, T> {
  return Object.fromEntries(
    Object.entries(map).flatMap(([key, value]) =>
      key.startsWith(prefix) ? [[key.slice(prefix.length), value]] : [],
    ),
  );
}

/** `f` of every value of `map`. */
export function mapValues<T, U>(map: Readonly<Record<string, T>>, f: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, f(value)]));
}
