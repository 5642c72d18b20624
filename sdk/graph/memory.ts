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
import { groups } from "./groups.js";
import { size } from "./macs.js";

/** A stored form of a tensor: codes for one input node, or plain values for all readers without a node. */
interface Copy {
  readonly elements: number;
  /** Bits per element; a number for plain values, the id of the node for codes. */
  readonly bits: number | string;
  /** First and last call during which it is in memory. */
  readonly from: number;
  readonly to: number;
}

/** Bits of one sample's pass. */
export interface Memory {
  /** All weights and the largest sum of live activations: what the pass needs at least. */
  readonly peak: number;
  /** All weights and all stored activations: what it needs if nothing is ever freed. */
  readonly sum: number;
}

/** The same for the activations alone, without the weights. */
export type LiveActivations = Memory;

/**
 * The memory of one sample's pass, as costs in bits: all weights, and the activations live during a layer call, for each
 * call whose activations may be the most. (Where all that is live during a call is live during another one too, the other
 * stands for both.)
 *
 * A tensor is stored from the call that makes it to the last call that reads it: as codes of b bits for each input node on
 * it, and once in plain form (32 bits; 8 where it is the model's input) if something without a node reads it or the model
 * returns it. A tensor whose only reader is a layer that works value by value (batch norm, an activation) and has no node
 * there is never stored: that layer's result is made in its place. What is on an inner edge is stored during its layer's
 * call, a state once, whatever the number of steps. Weights without a node count 32 bits.
 */
export function memoryCosts(graph: QuantizedGraph): Cost[] {
  const copies = copiesOf(graph);
  const plain = live(copies, graph.calls.length, ({ bits }) => (typeof bits === "number" ? bits : 0));
  const coded = copies.filter(({ bits }) => typeof bits === "string");
  const weights = elementTerms(graph, "weight");
  const constant = leftAloneBits(graph);
  const moments = maximal(coded, plain);
  const codes = codesDuring(coded, moments);
  return moments.map((i, n) =>
    linear(`memory during ${graph.calls[i]!.layer}`, constant + plain[i]!, [...weights, ...codes[n]!]),
  );
}

/** Memory footprint of one sample's pass in bits: weights and live activations; see `memoryCosts`. */
export function memory(graph: QuantizedGraph, assigned: Assigned): Memory {
  const weights = costAt(linear("", leftAloneBits(graph), elementTerms(graph, "weight")), bitsOf(assigned));
  const { peak, sum } = liveActivations(graph, assigned);
  return { peak: weights + peak, sum: weights + sum };
}

/** The activations' part of `memory`. */
export function liveActivations(graph: QuantizedGraph, assigned: Assigned): LiveActivations {
  const copies = copiesOf(graph);
  const width = ({ bits }: Copy): number =>
    typeof bits === "number" ? bits : (assigned[bits]?.bits ?? FLOAT_BITS);
  const during = live(copies, graph.calls.length, width);
  return {
    peak: during.reduce((most, bits) => Math.max(most, bits), 0),
    sum: copies.reduce((total, copy) => total + copy.elements * width(copy), 0),
  };
}

/** Bits live during each call. */
function live(copies: readonly Copy[], calls: number, width: (copy: Copy) => number): Float64Array {
  const change = new Float64Array(calls + 1);
  for (const copy of copies) {
    change[copy.from]! += copy.elements * width(copy);
    change[copy.to + 1]! -= copy.elements * width(copy);
  }
  for (let i = 1; i <= calls; i++) change[i]! += change[i - 1]!;
  return change.subarray(0, calls);
}

/**
 * The calls during which memory may be largest, whatever the bitwidths: those for which no other call has the same codes
 * live, and perhaps more, and no fewer plain bits. Of calls that equal each other the first is kept.
 */
function maximal(coded: readonly Copy[], plain: Float64Array): number[] {
  // All codes of call i are live from the latest of their beginnings to the first of their ends.
  const from = new Int32Array(plain.length);
  const to = new Int32Array(plain.length).fill(plain.length - 1);
  const count = new Int32Array(plain.length);
  for (const copy of coded) {
    for (let i = copy.from; i <= copy.to; i++) {
      from[i] = Math.max(from[i]!, copy.from);
      to[i] = Math.min(to[i]!, copy.to);
      count[i]! += 1;
    }
  }
  const implied = (i: number): boolean => {
    for (let j = from[i]!; j <= to[i]!; j++) {
      if (j === i || plain[j]! < plain[i]!) continue;
      const equal = plain[j] === plain[i] && count[j] === count[i];
      if (!equal || j < i) return true;
    }
    return false;
  };
  return [...plain.keys()].filter((i) => !implied(i));
}

/** The codes live during each of these calls. */
function codesDuring(coded: readonly Copy[], calls: readonly number[]): Cost["terms"][number][][] {
  const found = new Map(calls.map((call): [number, Cost["terms"][number][]] => [call, []]));
  for (const { elements, bits, from, to } of coded) {
    for (let i = from; i <= to; i++) found.get(i)?.push({ node: String(bits), coefficient: elements });
  }
  return [...found.values()];
}

function copiesOf(graph: QuantizedGraph): Copy[] {
  const nodes = new Set(graph.nodes.map((node) => node.id));
  const readers = groups(graph.edges, (edge) => edge.tensor);
  const inputs = groups(graph.edges, (edge) => edge.call);
  const streamed = graph.tensors.map(({ output }, t): boolean => {
    const [reader, other] = readers.get(t) ?? [];
    if (!reader || other || output || nodes.has(reader.id)) return false;
    return graph.calls[reader.call]!.streams;
  });
  // The call during which a tensor begins to fill: for a streamed chain, the one before the chain. Sources come first.
  const start: number[] = [];
  for (const { producer } of graph.tensors) {
    const source = (inputs.get(producer) ?? []).find((edge) => streamed[edge.tensor]);
    start.push(source ? start[source.tensor]! : Math.max(producer, 0));
  }
  const inside = graph.inner.map(({ id, call, held }): Copy => {
    const elements = size(held.shape);
    return { elements, bits: nodes.has(id) ? id : FLOAT_BITS, from: call, to: call };
  });
  const between = graph.tensors.flatMap(({ elements, output, modelInput }, t): Copy[] => {
    if (streamed[t]) return [];
    const from = start[t]!;
    const own = readers.get(t) ?? [];
    const coded = own.filter((edge) => nodes.has(edge.id));
    const others = own.filter((edge) => !nodes.has(edge.id));
    const codes = coded.map((edge) => ({ elements, bits: edge.id, from, to: edge.call }));
    if (others.length === 0 && !output && coded.length > 0) return codes;
    const to = output ? graph.calls.length - 1 : Math.max(from, ...others.map((edge) => edge.call));
    return [...codes, { elements, bits: modelInput ? INPUT_BITS : FLOAT_BITS, from, to }];
  });
  return [...between, ...inside];
}
