import * as tf from "@tensorflow/tfjs";
import type { TensorMap } from "../engine/engine.js";
import { type DeviceStaircase, quantize } from "../engine/ops.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { leveled } from "../staircase/bucket.js";
import { type Staircase, staircase } from "../staircase/staircase.js";
import { type HostTensor, sizeOf } from "../train/snapshot.js";
import type { Artifact } from "./artifact.js";
import { multiplied } from "./multiplied.js";
import { unpack } from "./pack.js";

/** What a forward pass needs of an artifact, on the host: every variable as its layer reads it, a staircase per node. */
export interface Decoded {
  readonly variables: Readonly<Record<string, HostTensor>>;
  readonly staircases: Readonly<Record<string, Staircase>>;
  /** Of the weights whose values are levels times a factor each. */
  readonly factors: Readonly<Record<string, HostTensor>>;
}

/** Reads the weights out of their codes. A generated and a loaded model both come this way, and so agree to the bit. */
export function decode({ manifest, packed, floating }: Artifact): Decoded {
  const staircases = Object.fromEntries(
    manifest.nodes.map(({ id, thresholds, levels }) => [id, staircase(thresholds, levels)]),
  );
  // A copy: the bytes of a file need not lie at a multiple of four.
  const values = (offset: number, shape: readonly number[]): ArrayBuffer =>
    new Uint8Array(floating.subarray(4 * offset, 4 * (offset + sizeOf(shape)))).buffer;
  const factors = Object.fromEntries(
    manifest.nodes.flatMap(({ id, factor }): [string, HostTensor][] => {
      if (!factor) return [];
      const { shape, offset } = factor;
      return [[id, { shape, dtype: "float32", data: new Float32Array(values(offset, shape)) }]];
    }),
  );
  const coded = manifest.nodes.flatMap(({ id, shape, elements, bits, offset }): [string, HostTensor][] => {
    if (offset === undefined) return [];
    const { levels } = staircases[id]!;
    const codes = unpack(packed, offset, elements, bits);
    const decoded: HostTensor = { shape, dtype: "float32", data: leveled(levels, codes) };
    return [[id, factors[id] ? multiplied(decoded, factors[id]) : decoded]];
  });
  const plain = manifest.floating.map(({ variable, shape, dtype, offset }): [string, HostTensor] => {
    const buffer = values(offset, shape);
    return [
      variable,
      { shape, dtype, data: dtype === "int32" ? new Int32Array(buffer) : new Float32Array(buffer) },
    ];
  });
  return { variables: Object.fromEntries([...coded, ...plain]), staircases, factors };
}

/** The staircases of the input nodes as tensors, under "thresholds/ID", "steps/ID" and "base/ID". */
export function inputStaircases(graph: QuantizedGraph, { staircases }: Decoded): TensorMap {
  const tensors: TensorMap = {};
  for (const { id, kind } of graph.nodes) {
    const found = kind === "input" ? staircases[id] : undefined;
    if (!found) continue;
    const { thresholds, levels } = found;
    tensors[`thresholds/${id}`] = tf.tensor1d(thresholds.slice());
    tensors[`steps/${id}`] = tf.tensor1d(
      Float32Array.from(thresholds, (_, k) => levels[k + 1]! - levels[k]!),
    );
    tensors[`base/${id}`] = tf.scalar(levels[0]!);
  }
  return tensors;
}

/** What a layer receives of `x` at an edge: quantized, where `at` holds a staircase for it. */
export function received(id: string, x: tf.Tensor, at: TensorMap): tf.Tensor {
  const thresholds = at[`thresholds/${id}`];
  if (!thresholds) return x;
  return quantize(x, {
    thresholds,
    steps: at[`steps/${id}`],
    base: at[`base/${id}`],
  } as DeviceStaircase);
}

/**
 * The quantized network on a batch. `at` holds "variable/NAME" and what `inputStaircases` makes. `watch` sees what passes at
 * every input node, before and after it is quantized.
 */
export function forward(
  graph: QuantizedGraph,
  at: TensorMap,
  inputs: tf.Tensor[],
  {
    logits,
    watch,
  }: { logits: boolean; watch?: (node: string, received: tf.Tensor, quantized: tf.Tensor) => void },
): tf.Tensor[] {
  const variables = Object.fromEntries(graph.variables.map(({ name }) => [name, at[`variable/${name}`]!]));
  const { outputs } = graph.forward(variables, inputs, {
    training: false,
    logits,
    quantize: ({ id }, x) => {
      const quantized = received(id, x, at);
      if (quantized !== x) watch?.(id, x, quantized);
      return quantized;
    },
  });
  return outputs;
}
