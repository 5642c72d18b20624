import { EVERY_EDGE, type QuantizedGraph, quantizedGraph } from "../graph/graph.js";
import { bypassed, type Leaf, leavesOf } from "../model/bypass.js";
import type { Config } from "../model/config.js";
import { build, topologyOf } from "../model/topology/topology.js";
import type { Assignment } from "../train/policy.js";
import { type HostTensor, type Snapshot, sizeOf } from "../train/snapshot.js";
import { type Affine, affine, NORMALIZATION, normalizes } from "./affine.js";
import type { NormalizationOutcome } from "./artifact.js";
import { multiplied } from "./multiplied.js";

/** A network as it is packed. */
export interface Packable {
  readonly graph: QuantizedGraph;
  readonly snapshot: Snapshot;
  /** By weight node: factors that the levels of its codes are multiplied with, of a shape that broadcasts to the weight's. */
  readonly factors: Readonly<Record<string, HostTensor>>;
  /** What became of every batch normalization, in the order of execution. */
  readonly outcomes: readonly NormalizationOutcome[];
}

/** A batch normalization, the layer it goes into, and the names of this one's weights. */
interface Fold extends Omit<Affine, "bias"> {
  readonly layer: string;
  readonly into: string;
  readonly bias: string;
  readonly biasAxis: number;
}

/** The network as it is; `reason` says why its batch normalizations are kept. */
export function unfolded(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  reason: string,
  factors: Packable["factors"] = {},
): Packable {
  const leaves = leavesOf(topologyOf(graph.model));
  const outcomes = normalizations(graph, leaves).map((layer) => ({ layer, reason }));
  return { graph, snapshot, factors, outcomes };
}

/**
 * The network without the batch normalizations that an affine layer can take over: with f = gamma / sqrt(variance + epsilon)
 * per output channel, kernel' = kernel f and bias' = (bias - mean) f + beta. A kernel that `assignment` quantizes keeps its
 * codes, and f becomes its factors, times those that are given; any other is multiplied. Node ids stay.
 *
 * It is folded when every output of the layer before it goes to it and nowhere else, with no activation between.
 */
export function fold(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  assignment: Assignment,
  given: Packable["factors"] = {},
): Packable {
  const topology = topologyOf(graph.model);
  const leaves = leavesOf(topology);
  const variables: Record<string, HostTensor> = { ...snapshot.variables };
  const factors: Record<string, HostTensor> = { ...given };
  const folded: Fold[] = [];
  const outcomes = normalizations(graph, leaves).map((layer): NormalizationOutcome => {
    const found = foldOf(layer, { graph, leaves, assignment });
    if (typeof found === "string") return { layer, reason: found };
    const values = folding(found, leaves.get(layer)!.config, snapshot.variables);
    if (typeof values === "string") return { layer, reason: values };
    const { factor, bias } = values;
    const kernel = snapshot.variables[found.kernel]!;
    const before = factors[found.kernel];
    if (assignment[found.kernel]) factors[found.kernel] = before ? multiplied(before, factor) : factor;
    else variables[found.kernel] = multiplied(kernel, factor);
    variables[found.bias] = bias;
    folded.push(found);
    return { layer, into: found.into };
  });
  if (folded.length === 0) return { graph, snapshot, factors, outcomes };
  const removed = new Set(folded.map(({ layer }) => layer));
  const options = new Map(folded.map(({ into, biased }) => [into, biased]));
  const model = build(bypassed(topology, removed, options), graph.model.name, Number.POSITIVE_INFINITY);
  return {
    graph: like(graph, model),
    snapshot: { ...snapshot, variables },
    factors,
    outcomes,
  };
}

/** The graph of `model` with the nodes of `original`, and its reasons for what is left alone. */
function like(original: QuantizedGraph, model: QuantizedGraph["model"]): QuantizedGraph {
  const graph = quantizedGraph(model, EVERY_EDGE);
  const nodes = new Map(original.nodes.map((node) => [node.id, node]));
  const rest = new Set([...graph.nodes, ...graph.leftAlone].map(({ id }) => id));
  for (const id of nodes.keys()) rest.delete(id);
  const known = original.leftAlone.filter(({ id }) => rest.delete(id));
  const biases = quantizedGraph(model).leftAlone.filter(({ id }) => rest.has(id));
  return {
    ...graph,
    nodes: graph.nodes.flatMap(({ id }) => nodes.get(id) ?? []),
    leftAlone: [...known, ...biases],
    variables: graph.variables.map(({ node, ...rest }) =>
      node !== undefined && nodes.has(node) ? { ...rest, node } : rest,
    ),
  };
}

/** Paths of the layers that normalize batches, in the order of execution. */
function normalizations({ calls }: QuantizedGraph, leaves: ReadonlyMap<string, Leaf>): string[] {
  const paths = new Set(calls.map((call) => call.layer));
  return [...paths].filter((path) => {
    const leaf = leaves.get(path);
    return leaf && normalizes(leaf);
  });
}

interface Network {
  readonly graph: QuantizedGraph;
  readonly leaves: ReadonlyMap<string, Leaf>;
  readonly assignment: Assignment;
}

/** Where a batch normalization goes, or why it is kept. */
function foldOf(layer: string, { graph, leaves, assignment }: Network): Fold | string {
  const { calls, edges, tensors, variables } = graph;
  const leaf = leaves.get(layer)!;
  if (leaf.className !== NORMALIZATION) return `it is computed by a layer of class ${leaf.className}`;
  const own = edges.filter((edge) => edge.layer === layer);
  const [into, ...others] = [...new Set(own.map(({ tensor }) => calls[tensors[tensor]!.producer]?.layer))];
  if (others.length > 0) return "it is called after several layers";
  const before = into === undefined ? undefined : leaves.get(into);
  if (into === undefined || !before) return "it follows the model's input";
  const rank = own[0]!.shape.length + 1;
  const target = affine(into, before, rank, Number(leaf.config.axis ?? -1));
  if (typeof target === "string") return target;
  if (before.container !== leaf.container) return `it is in another model than "${into}"`;

  const made = calls.filter((call) => call.layer === into).flatMap((call) => call.outputs);
  if (made.some((tensor) => tensors[tensor]!.output)) return `the output of "${into}" is one of the model's`;
  const readers = edges.filter((edge) => made.includes(edge.tensor) && edge.layer !== layer);
  if (readers.length > 0) {
    const names = [...new Set(readers.map((edge) => `"${edge.layer}"`))];
    return `the output of "${into}" also goes to ${names.join(", ")}`;
  }

  const kernel = `${into}/${target.kernel}`;
  const shape = variables.find(({ name }) => name === kernel)?.shape;
  if (!shape) return `"${into}" has no variable "${target.kernel}" of its own`;
  const strangers = calls.filter(
    (call) => call.layer !== into && call.products.some((p) => p.weight === kernel),
  );
  if (strangers.length > 0) return `the kernel of "${into}" is also that of "${strangers[0]!.layer}"`;
  const bias = `${into}/bias`;
  const held = ["gamma", "beta", "moving_mean", "moving_variance"].map((name) => `${layer}/${name}`);
  const quantized = [...held, bias, ...own.map(({ id }) => id)].find((id) => assignment[id]);
  if (quantized !== undefined) return `"${quantized}" has a quantizer of its own`;
  return { ...target, layer, into, kernel, bias, biasAxis: target.bias };
}

/** f, in the shape of the kernel with 1 for every axis but those of the output channels, and bias'; in float64, then rounded. */
function folding(
  { layer, kernel, axes, bias, biasAxis }: Fold,
  { epsilon }: Config,
  variables: Snapshot["variables"],
): { readonly factor: HostTensor; readonly bias: HostTensor } | string {
  const { shape } = variables[kernel]!;
  const factorShape = shape.map((size, axis) => (axes.includes(axis - shape.length) ? size : 1));
  const channels = sizeOf(factorShape);
  const of = (name: string, otherwise: number): ArrayLike<number> =>
    variables[`${layer}/${name}`]?.data ?? new Float32Array(channels).fill(otherwise);
  const [gamma, beta] = [of("gamma", 1), of("beta", 0)];
  const [mean, variance] = [of("moving_mean", 0), of("moving_variance", 1)];
  const factor = Float32Array.from(
    { length: channels },
    (_, c) => gamma[c]! / Math.sqrt(variance[c]! + Number(epsilon)),
  );
  const fresh = [channels, ...new Array<number>(-1 - biasAxis).fill(1)];
  const before = variables[bias] ?? { shape: fresh, data: new Float32Array(channels) };
  const below = sizeOf(before.shape.slice(before.shape.length + biasAxis + 1));
  const after = Float32Array.from(before.data, (b, i) => {
    const c = Math.floor(i / below) % channels;
    // The rounded factor: what it is off by then meets x - mean, as in the layer itself, instead of the mean alone.
    return (b - mean[c]!) * factor[c]! + beta[c]!;
  });
  if (![...factor, ...after].every(Number.isFinite)) return "its factors are not finite";
  return {
    factor: { shape: factorShape, dtype: "float32", data: factor },
    bias: { shape: before.shape, dtype: "float32", data: after },
  };
}
