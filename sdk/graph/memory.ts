import {
  type Assigned,
  bitsOf,
  type Cost,
  costAt,
  elementTerms,
  FLOAT_BITS,
  INPUT_BITS,
  leftAloneBits,
  linear,
} from "./costs.js";
import type { QuantizedGraph } from "./graph.js";

/** A stored form of a tensor: codes for one input node, or plain values for all readers without a node. */
interface Copy {
  readonly elements: number;
  /** Bits per element; a number for plain values, the id of the node for codes. */
  readonly bits: number | string;
  /** First and last call during which it is in memory. */
  readonly from: number;
  readonly to: number;
}

/** Layers that work value by value, or only rename dimensions: their result is made as the values arrive. */
const STREAMED = new Set([
  "Activation",
  "ReLU",
  "LeakyReLU",
  "PReLU",
  "ELU",
  "ThresholdedReLU",
  "BatchNormalization",
  "Dropout",
  "SpatialDropout1D",
  "GaussianNoise",
  "GaussianDropout",
  "AlphaDropout",
  "Masking",
  "Rescaling",
  "Flatten",
  "Reshape",
]);

/**
 * The memory of one sample's pass, as one cost (in bits) per layer call: all weights, and the activations live during it.
 *
 * A tensor is stored from the call that makes it to the last call that reads it: as codes of b bits for each input node on
 * it, and once in plain form (32 bits; 8 where it is the model's input) if something without a node reads it or the model
 * returns it. A tensor whose only reader is a layer that works value by value (batch norm, an activation) and has no node
 * there is never stored: that layer's result is made in its place. Weights without a node count 32 bits.
 */
export function memoryCosts(graph: QuantizedGraph): Cost[] {
  const copies = copiesOf(graph);
  return graph.calls.map((call, i) =>
    total(
      graph,
      `memory during ${call.layer}`,
      copies.filter((copy) => copy.from <= i && i <= copy.to),
    ),
  );
}

/** All weights and all stored activations together, in bits: the memory if nothing is ever freed. */
export function memorySumCost(graph: QuantizedGraph): Cost {
  return total(graph, "memory sum", copiesOf(graph));
}

/** Memory footprint in bits: weights plus the largest (`peak`) or all (`sum`) of the live activations. */
export function memory(graph: QuantizedGraph, assigned: Assigned): { peak: number; sum: number } {
  const bits = bitsOf(assigned);
  return {
    peak: Math.max(...memoryCosts(graph).map((cost) => costAt(cost, bits))),
    sum: costAt(memorySumCost(graph), bits),
  };
}

function total(graph: QuantizedGraph, name: string, copies: readonly Copy[]): Cost {
  const plain = copies.reduce(
    (sum, { elements, bits }) => sum + (typeof bits === "number" ? elements * bits : 0),
    0,
  );
  const codes = copies.flatMap(({ elements, bits }) =>
    typeof bits === "string" ? [{ node: bits, coefficient: elements }] : [],
  );
  return linear(name, leftAloneBits(graph) + plain, [...elementTerms(graph, "weight"), ...codes]);
}

function copiesOf(graph: QuantizedGraph): Copy[] {
  const nodes = new Set(graph.nodes.map((node) => node.id));
  const readers = graph.tensors.map((_, t) => graph.edges.filter((edge) => edge.tensor === t));
  const streamed = (t: number): boolean => {
    const [reader, other] = readers[t]!;
    if (!reader || other || graph.tensors[t]!.output || nodes.has(reader.id)) return false;
    return STREAMED.has(graph.calls[reader.call]!.className);
  };
  /** The call during which a tensor begins to fill: for a streamed chain, the one before the chain. */
  const start = (t: number): number => {
    const { producer } = graph.tensors[t]!;
    const source = graph.edges.find((edge) => edge.call === producer && streamed(edge.tensor));
    return source ? start(source.tensor) : Math.max(producer, 0);
  };
  return graph.tensors.flatMap(({ elements, output, modelInput }, t) => {
    if (streamed(t)) return [];
    const from = start(t);
    const coded = readers[t]!.filter((edge) => nodes.has(edge.id));
    const others = readers[t]!.filter((edge) => !nodes.has(edge.id));
    const codes = coded.map((edge) => ({ elements, bits: edge.id, from, to: edge.call }));
    if (others.length === 0 && !output && coded.length > 0) return codes;
    const to = output ? graph.calls.length - 1 : Math.max(from, ...others.map((edge) => edge.call));
    return [...codes, { elements, bits: modelInput ? INPUT_BITS : FLOAT_BITS, from, to }];
  });
}
