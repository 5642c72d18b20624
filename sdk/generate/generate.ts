import { AutoqnnError } from "../errors.js";
import { averageBits, bitOperations, FLOAT_BITS } from "../graph/costs.js";
import type { QuantizedGraph, QuantizingNode } from "../graph/graph.js";
import { memory } from "../graph/memory.js";
import { totals } from "../graph/totals.js";
import { topologyOf } from "../model/topology/topology.js";
import { channelFactors, channelShape, dividedByChannel } from "../staircase/channels.js";
import { fit, isFrozen, measure } from "../staircase/schemes.js";
import type { Staircase } from "../staircase/staircase.js";
import type { Assignment, Candidate } from "../train/policy.js";
import { rangeOf } from "../train/program.js";
import type { HostTensor, Snapshot } from "../train/snapshot.js";
import { type Artifact, decimals, type Manifest, type Provenance, sha256, VERSION } from "./artifact.js";
import { type Packable, unfolded } from "./fold.js";
import { multiplied } from "./multiplied.js";
import { pack } from "./pack.js";
import { QuantizedModel } from "./quantizedModel.js";

/**
 * Packs a trained network: every weight of `assignment` becomes codes of b bits and a table of at most 2^b levels, every
 * input of it a staircase with its running statistics frozen; all else stays in float32. Staircases are stretched by the
 * node's learned scale. The same arguments give the same bytes.
 *
 * @param given the network that is packed in its place, from `fold`; by default it is packed as it is
 * @throws AutoqnnError `bad-option` when `assignment` names what is not a node, or a bitwidth its scheme does not have;
 * `bad-data` for an input without running statistics, or weights that are not finite.
 */
export function generate(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  assignment: Assignment,
  provenance: Provenance,
  given: Packable = unfolded(graph, snapshot, "kept as it is"),
): QuantizedModel {
  return new QuantizedModel(artifactOf(graph, snapshot, assignment, provenance, given), given.graph);
}

/** What `generate` packs. */
export function artifactOf(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  assignment: Assignment,
  provenance: Provenance,
  given: Packable,
): Artifact {
  const unknown = Object.keys(assignment).find((id) => !graph.nodes.some((node) => node.id === id));
  if (unknown !== undefined) {
    throw new AutoqnnError(
      "bad-option",
      `Expected the names of nodes in the assignment, received "${unknown}".`,
      `Nodes are ${graph.nodes.map((node) => node.id).join(", ")}.`,
    );
  }
  const chosen = graph.nodes.flatMap((node) => {
    const candidate = assignment[node.id];
    if (!candidate) return [];
    const values = node.kind === "weight" ? valuesAt(node, snapshot) : undefined;
    return [{ node, candidate, values, staircase: staircaseOf(node, candidate, snapshot, values) }];
  });
  const multipliers = factorsOf(chosen, given, snapshot);
  const { floating, bytes, factors } = leaveFloating({ ...given, factors: multipliers }, assignment);
  let offset = 0;
  const nodes = chosen.map(({ node, candidate, staircase }): Manifest["nodes"][number] => {
    const { id, kind, layer, shape, elements, channelAxes } = node;
    const start = offset;
    if (kind === "weight") offset += elements * candidate.bits;
    return {
      ...{ id, kind, layer, shape: [...shape], elements },
      ...{ scheme: candidate.scheme, bits: candidate.bits },
      ...{ thresholds: decimals(staircase.thresholds), levels: decimals(staircase.levels) },
      ...(kind === "weight" && { offset: start }),
      ...(factors[id] && { factor: factors[id] }),
      ...(channelAxes && { channelAxes: [...channelAxes] }),
    };
  });
  const codes = chosen.flatMap(({ candidate, staircase, values }) =>
    values ? [{ bits: candidate.bits, codes: staircase.codes(values) }] : [],
  );
  const packed = pack(codes);
  return {
    manifest: {
      format: "autoqnn",
      version: VERSION,
      topology: topologyOf(given.graph.model) as Manifest["topology"],
      nodes,
      floating,
      leftAlone: leftAlone(given.graph, assignment),
      batchNormalizations: [...given.outcomes],
      sizes: sizes(graph, { ...given, factors: multipliers }, assignment, packed.length, bytes.length),
      provenance,
      checksums: { packed: sha256(packed), floating: sha256(bytes) },
    },
    packed,
    floating: bytes,
  };
}

/** The values of a weight node as its staircase sees them. */
function valuesAt({ id, channelAxes }: QuantizingNode, snapshot: Snapshot): ArrayLike<number> {
  const weight = valueIn(id, snapshot);
  return channelAxes ? dividedByChannel(weight.data, weight.shape, channelAxes) : weight.data;
}

/** What levels are multiplied with: what a weight was divided by, times what a batch normalization left. */
function factorsOf(
  chosen: readonly { readonly node: QuantizingNode }[],
  { factors }: Packable,
  snapshot: Snapshot,
): Packable["factors"] {
  const own = chosen.flatMap(({ node: { id, channelAxes } }): [string, HostTensor][] => {
    if (!channelAxes) return [];
    const { shape, data } = valueIn(id, snapshot);
    const factor: HostTensor = {
      shape: channelShape(shape, channelAxes),
      dtype: "float32",
      data: channelFactors(data, shape, channelAxes),
    };
    return [[id, factors[id] ? multiplied(factor, factors[id]) : factor]];
  });
  return { ...factors, ...Object.fromEntries(own) };
}

function staircaseOf(
  node: QuantizingNode,
  { scheme, bits }: Candidate,
  snapshot: Snapshot,
  values: ArrayLike<number> | undefined,
): Staircase {
  const range = rangeOf(node, snapshot.signed[node.id] ?? true);
  const statistics = values && !isFrozen(scheme) ? measure(values) : snapshot.statistics[node.id];
  if (!statistics) {
    throw new AutoqnnError(
      "bad-data",
      `Expected running statistics of the values at "${node.id}", received none.`,
      "Calibrate on data first, or leave inputs out of the assignment.",
    );
  }
  return fit(scheme, bits, statistics, range, snapshot.scales[node.id] ?? 1);
}

function valueIn(variable: string, { variables }: Snapshot): HostTensor {
  const value = variables[variable];
  if (value) return value;
  throw new AutoqnnError(
    "bad-option",
    `Expected a value for the variable "${variable}" in the snapshot, received none.`,
    "Use the snapshot of a stage on the same graph.",
  );
}

/** The variables without a node, one after another, then the factors; four bytes a value. */
function leaveFloating({ graph, snapshot, factors: given }: Packable, assignment: Assignment) {
  let offset = 0;
  const chunks: Uint8Array[] = [];
  const place = ({ data }: HostTensor): number => {
    chunks.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    offset += data.length;
    return offset - data.length;
  };
  const floating = graph.variables
    .filter(({ node }) => node === undefined || !assignment[node])
    .map(({ name }): Manifest["floating"][number] => {
      const value = valueIn(name, snapshot);
      const { shape, dtype } = value;
      if (dtype === "bool") {
        throw new AutoqnnError(
          "bad-model",
          `Expected variables of numbers, received bool values at "${name}".`,
          "Keep truth values as 0 and 1 in float32.",
        );
      }
      return { variable: name, shape: [...shape], dtype, offset: place(value) };
    });
  const factors = Object.fromEntries(
    graph.nodes.flatMap(({ id }): [string, NonNullable<Manifest["nodes"][number]["factor"]>][] => {
      const factor = given[id];
      return factor ? [[id, { shape: [...factor.shape], offset: place(factor) }]] : [];
    }),
  );
  return { floating, factors, bytes: new Uint8Array(Buffer.concat(chunks)) };
}

function leftAlone(graph: QuantizedGraph, assignment: Assignment): Manifest["leftAlone"] {
  const unassigned = graph.nodes
    .filter((node) => !assignment[node.id])
    .map((node) => ({ ...node, reason: "no scheme assigned" }));
  return [...graph.leftAlone, ...unassigned].map(({ id, kind, layer, shape, reason }) => ({
    ...{ id, kind, layer, shape: [...shape], reason },
  }));
}

function sizes(
  original: QuantizedGraph,
  { graph, factors }: Packable,
  assignment: Assignment,
  packedBytes: number,
  floatingBytes: number,
): Manifest["sizes"] {
  const { weights, activations } = averageBits(quantizedPart(graph, assignment), assignment);
  const { peak, sum } = memory(graph, assignment);
  const before = totals(original);
  const factorBytes = Object.values(factors).reduce((total, { data }) => total + data.byteLength, 0);
  return {
    packedBytes,
    floatingBytes,
    fp32Bytes: before.floating.modelBytes,
    averageBits: { weights: weights || FLOAT_BITS, activations: activations || FLOAT_BITS },
    memoryBytes: { peak: Math.ceil(peak / 8) + factorBytes, sum: Math.ceil(sum / 8) + factorBytes },
    bitOperations: bitOperations(graph, assignment),
    macs: before.macs,
    fp32: {
      memoryBytes: before.floating.memoryBytes,
      bitOperations: before.floating.bitOperations,
    },
  };
}

/** The graph as if nodes that stay in floating point were none: what they cost is counted apart. */
function quantizedPart(graph: QuantizedGraph, assignment: Assignment): QuantizedGraph {
  return { ...graph, nodes: graph.nodes.filter((node) => assignment[node.id]) };
}
