import * as tf from "@tensorflow/tfjs";
import {
  attentionTerms,
  band,
  dropScores,
  type Named,
  named,
  probabilities,
  projected,
  repeated,
} from "./attentionScores.js";
import { einsum } from "./einsum.js";
import type { Inner, InnerEdge } from "./inner.js";
import type { LayerArgs } from "./layer.js";
import { arriving, withMasks } from "./masks.js";
import { weightOptions } from "./weights.js";

type Config = tf.serialization.ConfigDict;
type Sizes = readonly (number | null)[];

interface CallOptions {
  readonly returnAttentionScores?: boolean;
  readonly useCausalMask?: boolean;
}

/** What both classes are made from. */
export interface SharedConfig extends LayerArgs {
  readonly dropout?: number;
  readonly useBias?: boolean;
  readonly useGate?: boolean;
  readonly slidingWindow?: number | null;
  readonly inputs?: readonly string[];
  readonly call?: CallOptions;
}

/** Sizes of the heads. */
export interface Heads {
  readonly queries: number;
  /** Heads of keys and values, each of which serves several queries. */
  readonly keys: number;
  readonly keyDim: number;
  readonly valueDim: number;
  readonly outputShape: readonly number[] | null;
  readonly attentionAxes: readonly number[] | null;
}

type Part = "query" | "key" | "gate" | "value" | "attention_output";

const size = (shape: Sizes): number => shape.reduce<number>((n, d) => n * (d ?? 1), 1);

/**
 * softmax(q k^T / sqrt(d)) v for each head, with q, k, v and the result projected (Vaswani et al., 2017). Inputs are what
 * Keras's call takes, in the order of `operands`: query, value, key (else the value), masks.
 */
export abstract class HeadAttention extends tf.layers.Layer implements Inner {
  static readonly tensorArguments = [
    "query",
    "value",
    "key",
    "query_mask",
    "value_mask",
    "key_mask",
    "attention_mask",
  ];
  static readonly callOptions = ["return_attention_scores", "use_causal_mask"];
  /** Where Keras keeps the layers that hold these weights. */
  static readonly parts = {
    query: "_query_dense",
    key: "_key_dense",
    gate: "_gate_dense",
    value: "_value_dense",
    attention_output: "_output_dense",
  };

  /** The call arguments that the inputs are, in their order. */
  operands: readonly string[];
  /** Set by whoever draws random numbers from seeds. */
  readonly dropoutFunc: ((ones: tf.Tensor, rate: number) => tf.Tensor) | undefined;
  readonly #config: SharedConfig;
  readonly #weights = new Map<string, tf.LayerVariable>();
  #axes: readonly number[] = [];

  constructor(config: SharedConfig) {
    super(config);
    this.supportsMasking = true;
    this.dropoutFunc = undefined;
    this.#config = config;
    this.operands = config.inputs ?? ["query", "value", "key"];
  }

  protected abstract readonly heads: Heads;

  /** Own options, as the constructor takes them. */
  protected abstract ownConfig(): Config;

  override apply(...[inputs, kwargs]: Parameters<tf.layers.Layer["apply"]>) {
    if (!Array.isArray(inputs) || !(inputs[0] instanceof tf.SymbolicTensor))
      return super.apply(inputs, kwargs);
    const given = { inputs: inputs as tf.SymbolicTensor[], names: this.operands.slice(0, inputs.length) };
    const all = withMasks(this, given, ["value", "key"]);
    this.operands = all.names;
    return super.apply([...all.inputs], kwargs);
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    const { query, value, key } = this.#shapes(inputShape as tf.Shape[]);
    const { queries, keys, keyDim, valueDim, outputShape, attentionAxes } = this.heads;
    const rank = query.length;
    // Counted among the dimensions before the features.
    this.#axes =
      attentionAxes?.map((axis) => (axis < 0 ? axis + rank : axis)) ?? [...Array(rank).keys()].slice(1, -1);
    const add = (part: Part, from: readonly number[], to: readonly number[]): void => {
      const make = (name: "kernel" | "bias", shape: number[]): void => {
        const { initializer, regularizer, constraint } = this.#weight(name);
        this.#weights.set(
          `${part}/${name}`,
          this.addWeight(`${part}/${name}`, shape, "float32", initializer, regularizer, true, constraint),
        );
      };
      make("kernel", [...from, ...to]);
      if (this.#config.useBias ?? true) make("bias", [...to]);
    };
    add("query", [query.at(-1)!], [queries, keyDim]);
    add("key", [key.at(-1)!], [keys, keyDim]);
    if (this.#config.useGate) add("gate", [query.at(-1)!], [queries, valueDim]);
    add("value", [value.at(-1)!], [keys, valueDim]);
    add("attention_output", [queries, valueDim], outputShape ?? [query.at(-1)!]);
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Config): tf.Tensor | tf.Tensor[] {
    return tf.tidy(() => {
      const given = named(inputs as tf.Tensor[], this.operands);
      const [query, value] = [given.query![0]!, given.value![0]!];
      const { queries, keys, keyDim } = this.heads;
      const project = (part: Part, x: tf.Tensor, bound: number): tf.Tensor =>
        projected(x, bound, this.#weights.get(`${part}/kernel`)!, this.#weights.get(`${part}/bias`));
      const own = (part: Part, x: tf.Tensor): tf.Tensor => project(part, x, 1);
      const repeat = (x: tf.Tensor): tf.Tensor => repeated(x, queries / keys);
      const q = this.enter("query", own("query", query));
      const k = repeat(this.enter("key", own("key", given.key?.[0] ?? value)));
      const v = repeat(this.enter("value", own("value", value)));
      const { queryTerm, keyTerm, scoreTerm } = attentionTerms(query.rank, this.#axes);
      const raw = einsum({ left: queryTerm, right: keyTerm, result: scoreTerm }, q, k);
      const masks = this.#masks(given, kwargs, query.shape[1]!, value.shape[1]!);
      const scores = probabilities(tf.mul(raw, 1 / Math.sqrt(keyDim)), masks, this.#axes.length);
      const seen = this.enter("probabilities", dropScores(this, scores, this.#config.dropout, kwargs));
      const heads = einsum({ left: scoreTerm, right: keyTerm, result: queryTerm }, seen, v);
      const gated = this.#config.useGate ? tf.mul(heads, tf.sigmoid(own("gate", query))) : heads;
      const output = project("attention_output", this.enter("projection", gated), 2);
      return this.#config.call?.returnAttentionScores ? [output, scores] : output;
    });
  }

  enter(_: string, x: tf.Tensor): tf.Tensor {
    return x;
  }

  innerEdges(inputShapes: readonly (readonly number[])[]): readonly InnerEdge[] {
    const { query, value } = this.#shapes(inputShapes.map((shape): Sizes => [1, ...shape]));
    const { queries, keys, keyDim, valueDim, outputShape } = this.heads;
    const [positions, others] = [query, value].map((shape) => shape.slice(1, -1) as number[]);
    const scores = this.#scores(query, value).slice(1) as number[];
    const option = "attentionProducts";
    const meet = (factor: string, macs: number) => [{ factor, macs }];
    const columns = outputShape ?? [query.at(-1)!];
    const joined = [...positions!, queries, valueDim];
    return [
      {
        name: "query",
        shape: [...positions!, queries, keyDim],
        option,
        meets: meet("key", size(scores) * keyDim),
      },
      { name: "key", shape: [...others!, keys, keyDim], option, meets: [] },
      { name: "value", shape: [...others!, keys, valueDim], option, meets: [] },
      { name: "probabilities", shape: scores, option, meets: meet("value", size(scores) * valueDim) },
      {
        name: "projection",
        shape: joined,
        meets: meet("attention_output/kernel", size(joined) * size(columns)),
      },
    ];
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    const { query, value } = this.#shapes(inputShape as tf.Shape[]);
    const output = [...query.slice(0, -1), ...(this.heads.outputShape ?? [query.at(-1)!])] as tf.Shape;
    return this.#config.call?.returnAttentionScores
      ? [output, this.#scores(query, value) as tf.Shape]
      : output;
  }

  override computeMask(_: tf.Tensor | tf.Tensor[], mask?: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const own = [mask].flat()[0] ?? null;
    return (this.#config.call?.returnAttentionScores ? [own, null] : own) as tf.Tensor;
  }

  override getConfig(): Config {
    const { dropout, useBias, useGate, slidingWindow, call } = this.#config;
    return {
      ...super.getConfig(),
      ...this.#weight("kernel").config,
      ...this.#weight("bias").config,
      dropout: dropout ?? 0,
      useBias: useBias ?? true,
      useGate: useGate ?? false,
      slidingWindow: slidingWindow ?? null,
      inputs: [...this.operands],
      ...(call && { call: { ...call } as Config }),
      ...this.ownConfig(),
    };
  }

  #weight(name: "kernel" | "bias") {
    return weightOptions(this.#config, name, name === "kernel" ? "glorotUniform" : "zeros");
  }

  #shapes(shapes: readonly Sizes[]): { query: Sizes; value: Sizes; key: Sizes } {
    const at = (name: string): Sizes | undefined => shapes[this.operands.indexOf(name)];
    const value = at("value")!;
    return { query: at("query")!, value, key: at("key") ?? value };
  }

  #scores(query: Sizes, value: Sizes): Sizes {
    const axes = this.#axes;
    const others = query.slice(0, -1).filter((_, i) => !axes.includes(i));
    return [
      ...others,
      this.heads.queries,
      ...axes.map((axis) => query[axis]!),
      ...axes.map((axis) => value[axis]!),
    ];
  }

  #masks(given: Named, kwargs: Config, queries: number, keys: number): tf.Tensor[] {
    const [first, second] = this.inboundNodes[0]?.inputTensors ?? [];
    const query = given.queryMask?.[0] ?? arriving(this, kwargs);
    const value = given.valueMask?.[0] ?? (first === second ? query : undefined);
    const seen = [value, given.keyMask?.[0]];
    const { slidingWindow, call } = this.#config;
    return [
      ...(query ? [tf.expandDims(tf.cast(query, "float32"), -1)] : []),
      ...seen.flatMap((mask) => (mask ? [tf.expandDims(tf.cast(mask, "float32"), -2)] : [])),
      ...(given.attentionMask ?? []),
      ...(call?.useCausalMask ? [band(queries, keys, (t, s) => s <= t)] : []),
      ...(slidingWindow ? [band(queries, keys, (t, s) => Math.abs(t - s) < slidingWindow)] : []),
    ];
  }
}
