import * as tf from "@tensorflow/tfjs";

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

/**
 * Gives the mask [batch, time] that comes with its input as a tensor of its own, 1 where the mask lets see: tfjs tells a
 * layer of several inputs the mask of the first alone.
 */
class ArrivingMask extends tf.layers.Layer {
  static readonly className = "ArrivingMask";

  override call(_: tf.Tensor | tf.Tensor[], kwargs: tf.serialization.ConfigDict): tf.Tensor {
    return tf.tidy(() => tf.cast(kwargs.mask as unknown as tf.Tensor, "float32"));
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return inputShape.slice(0, 2);
  }
}

export const MASKS = { ArrivingMask };

/** Inputs of a call, each under the name of the call argument that it is. */
export interface Operands {
  readonly inputs: readonly tf.SymbolicTensor[];
  readonly names: readonly string[];
}

/**
 * The operands with masks of the named ones among them that come with one, as inputs "<name>Mask". A tensor that is the
 * first input needs none.
 */
export function withMasks(layer: Layer, { inputs, names }: Operands, of: readonly string[]): Operands {
  const missing = of.flatMap((name) => {
    const tensor = inputs[names.indexOf(name)];
    if (!tensor || tensor === inputs[0] || names.includes(`${name}Mask`) || !masked(tensor)) return [];
    const mask = new ArrivingMask({ name: `${layer.name}_${name}_mask` }).apply(tensor);
    return [{ name: `${name}Mask`, mask: mask as tf.SymbolicTensor }];
  });
  return {
    inputs: [...inputs, ...missing.map(({ mask }) => mask)],
    names: [...names, ...missing.map(({ name }) => name)],
  };
}
