import type * as tf from "@tensorflow/tfjs";
import { HeadAttention, type Heads, type SharedConfig } from "./headAttention.js";
import type { LayerClasses } from "./index.js";

type Config = tf.serialization.ConfigDict;

interface MultiHeadConfig extends SharedConfig {
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim?: number | null;
  readonly outputShape?: number | readonly number[] | null;
  readonly attentionAxes?: number | readonly number[] | null;
}

const listed = (value: number | readonly number[] | null | undefined): readonly number[] | null =>
  value == null ? null : ([value].flat() as number[]);

class MultiHeadAttention extends HeadAttention {
  static readonly className = "MultiHeadAttention";
  protected readonly heads: Heads;

  constructor(config: MultiHeadConfig) {
    super(config);
    const { numHeads, keyDim, valueDim, outputShape, attentionAxes } = config;
    this.heads = {
      queries: numHeads,
      keys: numHeads,
      keyDim,
      valueDim: valueDim ?? keyDim,
      outputShape: listed(outputShape),
      attentionAxes: listed(attentionAxes),
    };
  }

  protected ownConfig(): Config {
    const { queries, keyDim, valueDim, outputShape, attentionAxes } = this.heads;
    return {
      numHeads: queries,
      keyDim,
      valueDim,
      outputShape: outputShape && [...outputShape],
      attentionAxes: attentionAxes && [...attentionAxes],
    };
  }
}

interface GroupedConfig extends SharedConfig {
  readonly headDim: number;
  readonly numQueryHeads: number;
  readonly numKeyValueHeads: number;
}

/** Several heads of queries share one of keys and values (Ainslie et al., 2023). */
class GroupedQueryAttention extends HeadAttention {
  static readonly className = "GroupedQueryAttention";
  protected readonly heads: Heads;

  constructor(config: GroupedConfig) {
    super(config);
    const { headDim, numQueryHeads, numKeyValueHeads } = config;
    this.heads = {
      queries: numQueryHeads,
      keys: numKeyValueHeads,
      keyDim: headDim,
      valueDim: headDim,
      outputShape: null,
      attentionAxes: null,
    };
  }

  protected ownConfig(): Config {
    const { queries, keys, keyDim } = this.heads;
    return { headDim: keyDim, numQueryHeads: queries, numKeyValueHeads: keys };
  }
}

export const HEAD_ATTENTION = {
  MultiHeadAttention,
  GroupedQueryAttention,
  // Its public name in Keras lacks two letters of the class's own, which files have.
  GroupQueryAttention: GroupedQueryAttention,
} as unknown as LayerClasses;
