import type * as tf from "@tensorflow/tfjs";

/** The options of a quantized graph that put nodes on inner edges. */
export type InnerOption = "recurrentState" | "attentionProducts";

/**
 * An edge inside a layer: a tensor on its way into a product, which neither enters nor leaves the layer. The hidden state
 * of a cell on its way into the recurrent kernel is one, the attention probabilities on their way to the values another.
 */
export interface InnerEdge {
  /** Unique within the layer: "state", "query". */
  readonly name: string;
  /** Of one value for one sample. */
  readonly shape: readonly number[];
  /** How often it is computed in one call, once per time step for a state. Default 1. */
  readonly steps?: number;
  /** The option by which a node stands on it. None: wherever the layer's own inputs would have one. */
  readonly option?: InnerOption;
  /**
   * What it is multiplied by, with the multiply-accumulates of one step and sample: a weight of the layer by its name there,
   * or another inner edge. A product of two inner edges stands at one of them.
   */
  readonly meets: readonly { readonly factor: string; readonly macs: number }[];
}

/**
 * What a layer class, of ours or a user's, has so that nodes can stand inside its calls. `call` passes each tensor through
 * `enter` just before it is multiplied; on its own `enter` gives back what it takes, and a quantized graph puts its
 * quantizers there for the time of a pass. Names and shapes must not depend on values.
 *
 * @example
 * class Gate extends tf.layers.Layer {
 *   static className = "Gate";
 *   innerEdges([[channels]]) {
 *     const meets = [{ factor: "out", macs: channels * channels }];
 *     return [{ name: "hidden", shape: [channels], meets }];
 *   }
 *   enter(name, x) { return x; }
 *   call([x]) { return tf.matMul(this.enter("hidden", tf.tanh(tf.matMul(x, this.in.read()))), this.out.read()); }
 * }
 */
export interface Inner {
  /** Shapes of the inputs without the batch. */
  innerEdges(inputShapes: readonly (readonly number[])[]): readonly InnerEdge[];
  enter(name: string, x: tf.Tensor): tf.Tensor;
}
