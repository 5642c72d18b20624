import * as tf from "@tensorflow/tfjs";
import { band, dropScores, named, probabilities } from "./attentionScores.js";
import type { LayerClasses } from "./index.js";
import type { Inner, InnerEdge } from "./inner.js";
import type { LayerArgs } from "./layer.js";
import { arriving, withMasks } from "./masks.js";

type Config = tf.serialization.ConfigDict;

interface AttentionConfig extends LayerArgs {
  readonly useScale?: boolean;
  readonly scoreMode?: "dot" | "concat";
  readonly dropout?: number;
  readonly inputs?: readonly string[];
  readonly call?: { readonly returnAttentionScores?: boolean; readonly useCausalMask?: boolean };
}

/**
 * softmax(scores) value for a list of query, value and key (else the value). Scores are q k^T, times `scale` with
 * `use_scale` (Luong et al., 2015), or in score mode "concat" a weight times sum tanh(scale (q + k)).
 */
class Attention extends tf.layers.Layer implements Inner {
  static readonly className: string = "Attention";
  static readonly tensorArguments = ["inputs", "mask"];
  static readonly callOptions = ["return_attention_scores", "use_causal_mask"];

  /** The call arguments that the inputs are, in their order. */
  operands: readonly string[];
  readonly dropoutFunc: ((ones: tf.Tensor, rate: number) => tf.Tensor) | undefined;
  protected readonly config: AttentionConfig;
  protected scale: tf.LayerVariable | undefined;
  #concatWeight: tf.LayerVariable | undefined;

  constructor(config: AttentionConfig) {
    super(config);
    this.supportsMasking = true;
    this.dropoutFunc = undefined;
    this.config = config;
    const masks = ["queryMask", "valueMask"];
    // Keras gives both masks in one list.
    this.operands = (config.inputs ?? ["inputs", "inputs", "inputs"]).map((name, i, all) =>
      name === "inputs"
        ? ["query", "value", "key"][i]!
        : name === "mask"
          ? masks[i - all.indexOf(name)]!
          : name,
    );
  }

  override apply(...[inputs, kwargs]: Parameters<tf.layers.Layer["apply"]>) {
    if (!Array.isArray(inputs) || !(inputs[0] instanceof tf.SymbolicTensor))
      return super.apply(inputs, kwargs);
    const given = { inputs: inputs as tf.SymbolicTensor[], names: this.operands.slice(0, inputs.length) };
    const all = withMasks(this, given, ["value"]);
    this.operands = all.names;
    return super.apply([...all.inputs], kwargs);
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    const ones = tf.initializers.ones();
    if (this.config.useScale) this.scale = this.makeScale((inputShape as tf.Shape[])[0]!, ones);
    if (this.config.scoreMode === "concat") {
      this.#concatWeight = this.addWeight("concat_score_weight", [], "float32", ones);
    }
    this.built = true;
  }

  protected makeScale(_: tf.Shape, ones: ReturnType<typeof tf.initializers.ones>): tf.LayerVariable {
    return this.addWeight("scale", [], "float32", ones);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Config): tf.Tensor | tf.Tensor[] {
    return tf.tidy(() => {
      const given = named(inputs as tf.Tensor[], this.operands);
      const [query, value] = [given.query![0]!, given.value![0]!];
      const [first, second] = this.inboundNodes[0]?.inputTensors ?? [];
      const queryMask = given.queryMask?.[0] ?? arriving(this, kwargs);
      const valueMask = given.valueMask?.[0] ?? (first === second ? queryMask : undefined);
      const raw = this.scores(query, given.key?.[0] ?? value);
      const seen = valueMask ? [tf.expandDims(tf.cast(valueMask, "float32"), -2)] : [];
      const causal = this.config.call?.useCausalMask
        ? [band(raw.shape.at(-2)!, raw.shape.at(-1)!, (t, s) => s <= t)]
        : [];
      const scores = dropScores(
        this,
        probabilities(raw, [...seen, ...causal], 1),
        this.config.dropout,
        kwargs,
      );
      const product = tf.matMul(this.enter("probabilities", scores), this.enter("value", value));
      const output = queryMask ? tf.mul(product, tf.expandDims(tf.cast(queryMask, "float32"), -1)) : product;
      return this.config.call?.returnAttentionScores ? [output, scores] : output;
    });
  }

  /** [batch, queries, keys]. */
  protected scores(query: tf.Tensor, key: tf.Tensor): tf.Tensor {
    if (this.config.scoreMode === "concat") {
      const sum = tf.add(tf.expandDims(query, -2), tf.expandDims(key, -3));
      const scaled = this.scale ? tf.mul(sum, this.scale.read()) : sum;
      return tf.mul(this.#concatWeight!.read(), tf.sum(tf.tanh(scaled), -1));
    }
    const scores = tf.matMul(this.enter("query", query), this.enter("key", key), false, true);
    return this.scale ? tf.mul(scores, this.scale.read()) : scores;
  }

  enter(_: string, x: tf.Tensor): tf.Tensor {
    return x;
  }

  innerEdges(inputShapes: readonly (readonly number[])[]): readonly InnerEdge[] {
    const at = (name: string): readonly number[] | undefined => inputShapes[this.operands.indexOf(name)];
    const [query, value] = [at("query")!, at("value")!];
    const key = at("key") ?? value;
    const option = "attentionProducts";
    const scores = [...query.slice(0, -1), value.at(-2)!];
    const macs = (features: number): number => scores.reduce((n, d) => n * d, features);
    const last: InnerEdge[] = [
      {
        name: "probabilities",
        shape: scores,
        option,
        meets: [{ factor: "value", macs: macs(value.at(-1)!) }],
      },
      { name: "value", shape: value, option, meets: [] },
    ];
    if (!this.isProduct()) return last;
    const first: InnerEdge[] = [
      { name: "query", shape: query, option, meets: [{ factor: "key", macs: macs(query.at(-1)!) }] },
      { name: "key", shape: key, option, meets: [] },
    ];
    return [...first, ...last];
  }

  /** Whether scores are products of query and key. */
  protected isProduct(): boolean {
    return this.config.scoreMode !== "concat";
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    const [query, value] = inputShape as [tf.Shape, tf.Shape];
    const output = [...query.slice(0, -1), value.at(-1)!];
    const scores = [...query.slice(0, -1), value.at(-2)!];
    return this.config.call?.returnAttentionScores ? [output, scores] : output;
  }

  override computeMask(_: tf.Tensor | tf.Tensor[], mask?: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const own = [mask].flat()[0] ?? null;
    return (this.config.call?.returnAttentionScores ? [own, null] : own) as tf.Tensor;
  }

  override getConfig(): Config {
    const { useScale, scoreMode, dropout, call } = this.config;
    return {
      ...super.getConfig(),
      useScale: useScale ?? false,
      scoreMode: scoreMode ?? "dot",
      dropout: dropout ?? 0,
      inputs: [...this.operands],
      ...(call && { call: { ...call } as Config }),
    };
  }
}

/** Scores sum scale tanh(q + k) (Bahdanau et al., 2014). */
class AdditiveAttention extends Attention {
  static override readonly className = "AdditiveAttention";

  constructor(config: AttentionConfig) {
    super({ ...config, useScale: config.useScale ?? true });
  }

  protected override makeScale(query: tf.Shape): tf.LayerVariable {
    return this.addWeight("scale", [query.at(-1)!], "float32", tf.initializers.glorotUniform({}));
  }

  protected override scores(query: tf.Tensor, key: tf.Tensor): tf.Tensor {
    const sum = tf.tanh(tf.add(tf.expandDims(query, -2), tf.expandDims(key, -3)));
    return tf.sum(this.scale ? tf.mul(sum, this.scale.read()) : sum, -1);
  }

  protected override isProduct(): boolean {
    return false;
  }
}

export const ATTENTION: LayerClasses = { Attention, AdditiveAttention };
