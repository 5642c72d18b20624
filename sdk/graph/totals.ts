import { type Assigned, bitOperations, modelSize } from "./costs.js";
import type { QuantizedGraph } from "./graph.js";
import { size } from "./macs.js";
import { liveActivations } from "./memory.js";

/** What one sample's pass and the weights cost, at given bits. */
export interface Costs {
  /** Sum over multiply-accumulates of the bits of one factor times the bits of the other. */
  readonly bitOperations: number;
  /** Bytes of all weights: codes of b bits for weights with a node, 4 bytes a value for the others. */
  readonly modelBytes: number;
  /** Bytes of activations: the most that are live during one layer call (`peak`), and of all that are stored (`sum`). */
  readonly activationBytes: { readonly peak: number; readonly sum: number };
  /** The memory footprint in bytes: weights and activations together. */
  readonly memoryBytes: { readonly peak: number; readonly sum: number };
}

/** A graph in numbers. All counts of operations and activations are per sample. */
export interface Totals {
  /** Where the model leaves dimensions of its inputs open: the size that they are counted with. */
  readonly openDimension?: number;
  /** Values of all variables, moving averages included; of those that training moves; of those that are weight nodes. */
  readonly parameters: { readonly all: number; readonly trainable: number; readonly inNodes: number };
  /** Multiply-accumulates of all layer calls, quantized or not. */
  readonly macs: number;
  /** The costs with 32 bits everywhere, but 8 for what comes straight from the model's input. */
  readonly floating: Costs;
  /** The costs at assigned bits; absent where none are. */
  readonly assigned?: Costs;
}

/**
 * Counts a graph, at 32 bits and, where `assigned` is given, at the bits assigned; nodes that it leaves out count 32 bits.
 *
 * Every variable counts once, however many layers read it, every layer call by itself. What is counted as a
 * multiply-accumulate is said by `macs.ts`, what as stored by `memory.ts`, what as a bit operation by `costs.ts`.
 *
 * @example
 * const { parameters, macs, floating } = totals(quantizedGraph(model));
 * console.log(parameters.all, macs, floating.modelBytes);
 */
export function totals(graph: QuantizedGraph, assigned?: Assigned): Totals {
  const values = (variables: QuantizedGraph["variables"]): number =>
    variables.reduce((sum, { shape }) => sum + size(shape), 0);
  const { variables } = graph;
  const products = graph.calls.flatMap((call) => call.products);
  const open = graph.inputs.some(({ shape }) => shape.slice(1).includes(null));
  return {
    ...(open && { openDimension: graph.openDimension }),
    parameters: {
      all: values(variables),
      trainable: values(variables.filter(({ trainable }) => trainable)),
      inNodes: values(variables.filter(({ node }) => node !== undefined)),
    },
    macs: products.reduce((sum, { macs }) => sum + macs, 0),
    floating: costs(graph, {}),
    ...(assigned && { assigned: costs(graph, assigned) }),
  };
}

function costs(graph: QuantizedGraph, assigned: Assigned): Costs {
  const { nodes, leftAlone } = modelSize(graph, assigned);
  const live = liveActivations(graph, assigned);
  const bytes = (bits: number): number => Math.ceil(bits / 8);
  return {
    bitOperations: bitOperations(graph, assigned),
    modelBytes: bytes(nodes + leftAlone),
    activationBytes: { peak: bytes(live.peak), sum: bytes(live.sum) },
    memoryBytes: { peak: bytes(nodes + leftAlone + live.peak), sum: bytes(nodes + leftAlone + live.sum) },
  };
}
