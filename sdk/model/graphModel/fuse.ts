import type { GraphNode } from "./nodes.js";

/** Products, and the nodes of the converter that do more in one. */
const FUSED: ReadonlyMap<string, string> = new Map([
  ["Conv2D", "_FusedConv2D"],
  ["DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"],
  ["MatMul", "_FusedMatMul"],
  ...["_FusedConv2D", "FusedDepthwiseConv2dNative", "_FusedMatMul"].map((op): [string, string] => [op, op]),
]);

const ACTIVATIONS = new Set(["Relu", "Relu6", "Elu", "Sigmoid", "Tanh"]);

/**
 * The nodes with a bias, and an activation behind it, in the product that they alone read: the layer that they were made
 * from. `order`: each node after those that it reads. What is in `outputs` stays.
 */
export function fused(order: readonly GraphNode[], outputs: ReadonlySet<string>): readonly GraphNode[] {
  const readers = new Map<string, number>();
  for (const { inputs } of order) {
    for (const { node } of inputs) readers.set(node, (readers.get(node) ?? 0) + 1);
  }
  const nodes = new Map<string, GraphNode>();
  const isConstant = (name: string): boolean => {
    let node = nodes.get(name);
    while (node?.op === "Identity" && node.inputs[0]) node = nodes.get(node.inputs[0].node);
    return node?.op === "Const";
  };
  for (const node of order) {
    const [source, bias] = node.inputs;
    const product = source && nodes.get(source.node);
    const op = product && FUSED.get(product.op);
    const alone = product && readers.get(product.name) === 1 && !outputs.has(product.name);
    const steps = (product?.attributes.fused_ops ?? []) as readonly string[];
    const follows =
      node.op === "BiasAdd"
        ? steps.length === 0 && bias !== undefined && isConstant(bias.node)
        : ACTIVATIONS.has(node.op) && steps.every((step) => step === "BiasAdd");
    if (op && alone && follows && isConstant(product.inputs[1]!.node)) {
      nodes.delete(product.name);
      const inputs = [...product.inputs, ...(node.op === "BiasAdd" ? [bias!] : [])];
      const attributes = { ...product.attributes, fused_ops: [...steps, node.op] };
      nodes.set(node.name, { name: node.name, op, inputs, attributes });
    } else {
      nodes.set(node.name, node);
    }
  }
  return [...nodes.values()];
}
