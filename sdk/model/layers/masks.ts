import type * as tf from "@tensorflow/tfjs";

type Layer = tf.layers.Layer;

interface Fields {
  readonly maskZero?: boolean;
  readonly returnSequences?: boolean;
  readonly layers?: readonly Layer[];
}

/**
 * The mask [batch, time] that comes with a layer's first input. tfjs hands one object of options from layer to layer, and
 * leaves in it the mask of whatever layer had one last; so whether a mask belongs here is read from the graph.
 */
export function arriving(layer: Layer, kwargs: tf.serialization.ConfigDict): tf.Tensor | undefined {
  const mask = (kwargs.mask ?? undefined) as unknown as tf.Tensor | undefined;
  const source = layer.inboundNodes[0]?.inputTensors[0];
  return mask && source && !masked(source) ? undefined : mask;
}

function masked(tensor: tf.SymbolicTensor): boolean {
  const { sourceLayer: layer } = tensor;
  const { maskZero, returnSequences, layers } = layer as unknown as Fields;
  if (layer.getClassName() === "Masking" || maskZero) return true;
  if (!layer.supportsMasking || layers || returnSequences === false) return false;
  return layer.inboundNodes[tensor.nodeIndex]?.inputTensors.some(masked) ?? false;
}
