import * as tf from "@tensorflow/tfjs";
import { fold, generate, type QuantizedModel } from "../../sdk/generate/index.js";
import type { QuantizedGraph } from "../../sdk/graph/graph.js";
import type { Assignment } from "../../sdk/train/policy.js";
import type { Snapshot } from "../../sdk/train/snapshot.js";
import { assignmentOf, functional, graphOf, PROVENANCE, snapshotOf } from "./models.js";

/** Kernels in three bits, inputs as they are: a quantizer of inputs would turn roundings into steps. */
export const kernelsOf = (graph: QuantizedGraph): Assignment =>
  Object.fromEntries(
    graph.nodes.flatMap(({ id, kind }) =>
      kind === "weight" && /kernel$/.test(id) ? [[id, { scheme: "clip", bits: 3 }]] : [],
    ),
  );

/** A network packed with its batch normalizations kept, and folded. */
export interface Both {
  readonly snapshot: Snapshot;
  readonly graph: QuantizedGraph;
  readonly kept: QuantizedModel;
  readonly folded: QuantizedModel;
}

export function both(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  assignment: Assignment = kernelsOf(graph),
): Both {
  const packed = fold(graph, snapshot, assignment);
  return {
    snapshot,
    graph,
    kept: generate(graph, snapshot, assignment, PROVENANCE),
    folded: generate(graph, snapshot, assignment, PROVENANCE, packed),
  };
}

/** Small enough to look at, with quantized inputs: conv1 with a bias, norm, relu, conv2. */
export async function small(
  change: (snapshot: Snapshot) => Snapshot = (snapshot) => snapshot,
): Promise<Both> {
  const graph = graphOf(functional());
  return both(graph, change(await snapshotOf(graph)), assignmentOf(graph));
}

export const batch = ({ model }: QuantizedGraph, n = 3): tf.Tensor[] =>
  model.inputs.map(({ shape }, i) =>
    tf.randomNormal([n, ...(shape.slice(1) as number[])], 0, 1, "float32", 7 + i),
  );

export const predicted = (model: QuantizedModel, inputs: tf.Tensor[]): Float32Array[] =>
  [model.predict(inputs)].flat().map((y) => y.dataSync() as Float32Array);
