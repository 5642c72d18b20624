import type { QuantizedGraph } from "./graph.js";

/** Node id -> what stands there. Nodes that are left out stay in floating point and count 32 bits. */
export type Assigned = Readonly<Record<string, { readonly scheme: string; readonly bits: number }>>;

/** Bitwidths by node id, whole or real. */
export type Bits = Readonly<Record<string, number>>;

/** Bits of a value without quantizer. */
export const FLOAT_BITS = 32;

/** Bits of a value of the model's input: pixels and the like. */
export const INPUT_BITS = 8;

/**
 * A cost as a function of the nodes' bitwidths:
 * cost = constant + sum of coefficient * b_node + sum of coefficient * b_weight * b_input. No coefficient is negative, so
 * every cost falls with every bitwidth.
 */
export interface Cost {
  readonly name: string;
  readonly constant: number;
  readonly terms: readonly { readonly node: string; readonly coefficient: number }[];
  readonly products: readonly {
    readonly weight: string;
    readonly input: string;
    readonly coefficient: number;
  }[];
}

/** The value of a cost at given bitwidths. Nodes that are left out count 32 bits. */
export function costAt(cost: Cost, bits: Bits): number {
  const at = (node: string): number => bits[node] ?? FLOAT_BITS;
  const linear = cost.terms.reduce(
    (sum, { node, coefficient }) => sum + coefficient * at(node),
    cost.constant,
  );
  return cost.products.reduce(
    (sum, { weight, input, coefficient }) => sum + coefficient * at(weight) * at(input),
    linear,
  );
}

/** Bits of all weight codes: sum over weight nodes of elements * b. Weights without a node are not in it. */
export function sizeCost(graph: QuantizedGraph): Cost {
  return linear("model size", 0, elementTerms(graph, "weight"));
}

/** Bits of all input codes of one sample: sum over input nodes of elements * b. */
export function activationCost(graph: QuantizedGraph): Cost {
  return linear("activations", 0, elementTerms(graph, "input"));
}

/**
 * Bit operations per sample: sum over layer calls of MACs * bits of one factor * bits of the other. A factor without a node counts 32 bits, or
 * 8 where it is the model's input.
 */
export function operationCost(graph: QuantizedGraph): Cost {
  const nodes = new Set(graph.nodes.map((node) => node.id));
  const edges = new Map(graph.edges.map((edge) => [edge.id, edge]));
  const terms: Cost["terms"][number][] = [];
  const products: Cost["products"][number][] = [];
  let constant = 0;
  const bitsAt = (factor: string | undefined): number => {
    const edge = edges.get(factor ?? "");
    return edge && graph.tensors[edge.tensor]!.modelInput ? INPUT_BITS : FLOAT_BITS;
  };
  for (const { weight, input, macs } of graph.calls.flatMap((call) => call.products)) {
    const inputNode = input !== undefined && nodes.has(input) ? input : undefined;
    if (nodes.has(weight) && inputNode) products.push({ weight, input: inputNode, coefficient: macs });
    else if (nodes.has(weight)) terms.push({ node: weight, coefficient: macs * bitsAt(input) });
    else if (inputNode) terms.push({ node: inputNode, coefficient: macs * bitsAt(weight) });
    else constant += macs * bitsAt(weight) * bitsAt(input);
  }
  return { name: "bit operations", constant, terms, products };
}

/** Bits of the model's weights: of the nodes, and of the weights without a node at 32 bits each. */
export function modelSize(graph: QuantizedGraph, assigned: Assigned): { nodes: number; leftAlone: number } {
  return { nodes: costAt(sizeCost(graph), bitsOf(assigned)), leftAlone: leftAloneBits(graph) };
}

/** Mean bits per weight and per input value, weighted by elements; NaN where there is no node of the kind. */
export function averageBits(
  graph: QuantizedGraph,
  assigned: Assigned,
): { weights: number; activations: number } {
  const bits = bitsOf(assigned);
  const mean = (cost: Cost): number => costAt(cost, bits) / elementsOf(cost);
  return { weights: mean(sizeCost(graph)), activations: mean(activationCost(graph)) };
}

/** Bit operations per sample; see `operationCost`. */
export function bitOperations(graph: QuantizedGraph, assigned: Assigned): number {
  return costAt(operationCost(graph), bitsOf(assigned));
}

/** Bits of the weights without a node. */
export function leftAloneBits(graph: QuantizedGraph): number {
  return graph.variables.reduce((sum, v) => sum + (v.node ? 0 : product(v.shape) * FLOAT_BITS), 0);
}

/** Number of values of a cost of elements: its value at one bit each. */
export function elementsOf({ terms }: Cost): number {
  return terms.reduce((sum, { coefficient }) => sum + coefficient, 0);
}

export function bitsOf(assigned: Assigned): Bits {
  return Object.fromEntries(Object.entries(assigned).map(([id, { bits }]) => [id, bits]));
}

export function elementTerms(graph: QuantizedGraph, kind: "weight" | "input"): Cost["terms"] {
  return graph.nodes
    .filter((node) => node.kind === kind)
    .map((node) => ({ node: node.id, coefficient: node.elements }));
}

export function linear(name: string, constant: number, terms: Cost["terms"]): Cost {
  return { name, constant, terms, products: [] };
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
