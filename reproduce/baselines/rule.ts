import type { QuantizedGraph, QuantizingNode, tf } from "../../sdk/index.js";
import { STATISTICS, type Statistic } from "../../sdk/staircase/statistics.js";
import type { OwnQuantized, Policy } from "../../sdk/train/policy.js";
import type { HostTensor, Snapshot } from "../../sdk/train/snapshot.js";
import type { Workbench } from "../../sdk/train/workbench.js";

/** What a method knows of a node before it trains. */
export interface Look {
  readonly kind: QuantizingNode["kind"];
  readonly bits: number;
  /** Whether values below zero occur. */
  readonly signed: boolean;
  /** Of one example, where the node is an input. */
  readonly shape: readonly number[];
  /** How many of the last axes number the output channels of a weight. */
  readonly channelAxes: number;
  /** Of a weight its values; of an input the mean over some batches of training data. */
  statistic(name: Statistic): number;
}

/** How a method quantizes one kind of node. */
export interface Rule {
  /** What it learns at a node, by name, or what follows the values without a gradient. */
  initial(look: Look): Readonly<Record<string, HostTensor>>;
  /** Names of `initial` that have no gradient: `quantize` moves them itself. */
  readonly following?: readonly string[];
  /** A traced function of the values and of what is learned there. */
  quantize(x: tf.Tensor, own: Readonly<Record<string, tf.Tensor>>, look: Look): OwnQuantized;
  /** What is added to the loss for what is learned at a node. */
  penalty?(own: Readonly<Record<string, tf.Tensor>>): tf.Tensor;
  /** The least value of what is learned; the method has no meaning below it. */
  readonly least?: Readonly<Record<string, number>>;
}

/** Bits by node id. */
export type Bitwidths = Readonly<Record<string, number>>;

/** Gives nodes bitwidths of their own, at no more bytes of weights than the same bits everywhere take. */
export type Allocate = (ground: {
  readonly bench: Workbench;
  /** The floating-point network. */
  readonly start: Snapshot;
  /** The same bits everywhere, but for layers that are kept at others. */
  readonly uniform: Bitwidths;
  /** The nodes whose bits may differ from that. */
  readonly free: ReadonlySet<string>;
  readonly signal?: AbortSignal | undefined;
}) => Promise<Bitwidths>;

/** A method of the literature. */
export interface Baseline {
  readonly name: string;
  /** Authors, title, where and when. */
  readonly source: string;
  readonly weights: Rule;
  readonly inputs: Rule;
  /** How it gives bitwidths; absent where it has the same everywhere. */
  readonly allocate?: Allocate;
}

/** A method on a graph: the policy that the common loop trains, and which of its parameters have a gradient. */
export interface Fitted {
  readonly policy: Policy;
  readonly learned: readonly string[];
}

/**
 * What stands `at` every node of `graph`, as a policy of the common training loop.
 *
 * @param statistics the statistic vector of every weight node's values, measured by the caller
 */
export function fitted(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  statistics: Readonly<Record<string, ArrayLike<number>>>,
  at: (node: QuantizingNode) => { readonly baseline: Baseline; readonly bits: number },
): Fitted {
  const places = new Map(
    graph.nodes.map((node, index) => {
      const { baseline, bits } = at(node);
      const rule = node.kind === "weight" ? baseline.weights : baseline.inputs;
      const look: Look = {
        kind: node.kind,
        bits,
        signed: snapshot.signed[node.id] ?? true,
        shape: node.shape,
        channelAxes: node.id.endsWith("depthwise_kernel") ? 2 : 1,
        statistic: (name) =>
          (snapshot.statistics[node.id] ?? statistics[node.id]!)[STATISTICS.indexOf(name)]!,
      };
      const initial = rule.initial(look);
      const keys = Object.keys(initial).map((name) => ({ name, key: `${index}.${name}` }));
      return [node.id, { rule, look, initial, keys }] as const;
    }),
  );
  const ownOf = (
    parameters: Readonly<Record<string, tf.Tensor>>,
    keys: readonly { name: string; key: string }[],
  ) => Object.fromEntries(keys.map(({ name, key }) => [name, parameters[key]!]));
  const all = [...places.values()];
  const penalized = all.filter(({ rule }) => rule.penalty);
  const least = new Map(
    all.flatMap(({ rule, keys }) =>
      keys.flatMap(({ name, key }) =>
        rule.least?.[name] === undefined ? [] : [[key, rule.least[name]!] as const],
      ),
    ),
  );
  const policy: Policy = {
    candidates: () => [],
    identity: JSON.stringify(graph.nodes.map((node) => [at(node).baseline.name, at(node).bits])),
    mix: () => ({}),
    parameters: Object.fromEntries(
      all.flatMap(({ keys, initial }) => keys.map(({ name, key }) => [key, initial[name]!])),
    ),
    quantizer: ({ id }) => {
      const { rule, look, keys } = places.get(id)!;
      return (x, parameters) => {
        const { y, moved = {} } = rule.quantize(x, ownOf(parameters, keys), look);
        const named = keys.flatMap(({ name, key }) => (moved[name] ? [[key, moved[name]] as const] : []));
        return { y, moved: Object.fromEntries(named) };
      };
    },
    project: (key, value) => (least.has(key) ? value.maximum(least.get(key)!) : value),
    ...(penalized.length > 0 && {
      penalty: (parameters) =>
        penalized
          .map(({ rule, keys }) => rule.penalty!(ownOf(parameters, keys)))
          .reduce((sum, term) => sum.add(term)),
    }),
  };
  const learned = all.flatMap(({ rule, keys }) =>
    keys.filter(({ name }) => !rule.following?.includes(name)).map(({ key }) => key),
  );
  return { policy, learned };
}

/** A number that is learned. */
export const scalar = (value: number): HostTensor => ({
  shape: [],
  dtype: "float32",
  data: Float32Array.of(value),
});
