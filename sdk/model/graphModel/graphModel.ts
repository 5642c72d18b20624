import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import { isConfig } from "../config.js";
import { withLayers } from "../layers/index.js";
import type { HostArray } from "../operations/arguments.js";
import { fused } from "./fuse.js";
import { GraphLayers } from "./graphLayers.js";
import { LayerNames } from "./names.js";
import { type GraphNode, inOrder, readNodes, type TensorName, tensorName } from "./nodes.js";

/** A graph with its constants, as tfjs's converter writes it and its GraphModel holds it. */
export interface GraphArtifacts {
  readonly topology: unknown;
  /** Names by which the graph is called from outside, where it has them: { inputs, outputs }. */
  readonly signature: unknown;
  readonly weights: ReadonlyMap<string, HostArray>;
}

/**
 * A layers model of a TensorFlow graph. A node that is exactly one layer becomes that layer (convolutions, products with a
 * constant matrix, batch normalization), any other an `Operation`. Floating constants are weights; what follows from
 * constants or from shapes alone is computed here, and a reshaping to so many batches is written as one.
 *
 * @throws AutoqnnError `bad-model` naming a node that cannot be computed: control flow, tables, strings, resources.
 */
export function fromGraph({ topology, signature, weights }: GraphArtifacts, where: string): tf.LayersModel {
  const nodes = readNodes(topology, where);
  const called = names(nodes, signature, where);
  const ends = [...called.outputs.values()].map(({ node }) => node);
  const order = fused(inOrder(nodes, ends, where), new Set(ends));
  const wanted = wantedNames(nodes, called);
  const labels = new LayerNames(order, [...wanted.values()]);
  const layers = new GraphLayers(weights, labels, where);
  try {
    return withLayers(() => {
      for (const node of order) layers.add(node, wanted.get(node.name));
      const inputs = [...called.inputs.values()].filter(({ node }) => layers.has(node));
      return tf.model({
        inputs: inputs.map((name) => layers.tensor(name)),
        outputs: [...called.outputs.values()].map((name) => layers.tensor(name)),
      });
    });
  } catch (cause) {
    layers.dispose();
    if (cause instanceof AutoqnnError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badModel(
      "a graph that can be computed",
      `"${reason}"`,
      where,
      "Give the Keras model instead.",
      cause,
    );
  }
}

type Nodes = ReadonlyMap<string, GraphNode>;

interface Called {
  readonly inputs: ReadonlyMap<string, TensorName>;
  readonly outputs: ReadonlyMap<string, TensorName>;
}

/** What the signature names; without one, placeholders and the nodes that nothing reads. */
function names(nodes: Nodes, signature: unknown, where: string): Called {
  const given = (key: "inputs" | "outputs"): Map<string, TensorName> => {
    const list = isConfig(signature) && isConfig(signature[key]) ? Object.entries(signature[key]) : [];
    return new Map(
      list.flatMap(([name, info]) =>
        isConfig(info) && typeof info.name === "string" ? [[name, tensorName(info.name)] as const] : [],
      ),
    );
  };
  const read = new Set([...nodes.values()].flatMap((node) => node.inputs.map((input) => input.node)));
  const those = (choose: (node: GraphNode) => boolean): Map<string, TensorName> =>
    new Map([...nodes.values()].filter(choose).map(({ name }) => [name, { node: name, output: 0 }]));
  const [inputs, outputs] = [given("inputs"), given("outputs")];
  const found: Called = {
    inputs: inputs.size > 0 ? inputs : those(({ op }) => op === "Placeholder"),
    outputs:
      outputs.size > 0
        ? outputs
        : those(({ name, op }) => !read.has(name) && op !== "NoOp" && op !== "Const"),
  };
  if (found.inputs.size > 0 && found.outputs.size > 0) return found;
  throw badModel(
    "a graph with inputs and outputs",
    "none",
    where,
    "Convert the model again, with a signature.",
  );
}

/** Names of the signature for the nodes that make its tensors, where they say more than the nodes' own. */
function wantedNames(nodes: Nodes, { inputs, outputs }: Called): ReadonlyMap<string, string> {
  const wanted = new Map<string, string>();
  for (const [key, tensor] of [...inputs, ...outputs]) {
    let node = nodes.get(tensor.node);
    if (tensorName(key).node === node?.name) continue;
    while (node?.op === "Identity" && node.inputs[0]) node = nodes.get(node.inputs[0].node);
    if (node) wanted.set(node.name, key);
  }
  return wanted;
}
