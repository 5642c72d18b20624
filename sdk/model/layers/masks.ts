import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";

type Layer = tf.layers.Layer;

interface Fields {
  readonly maskZero?: boolean;
  readonly returnSequences?: boolean;
  readonly needsEveryMask?: boolean;
  readonly layers?: readonly Layer[];
  readonly outputs?: readonly tf.SymbolicTensor[];
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

/** The mask of a layer with the call arguments "inputs" and "mask", whose inputs say which they are in `operands`. */
export function maskFor(
  layer: Layer & { readonly operands: readonly string[] },
  inputs: tf.Tensor | tf.Tensor[],
  kwargs: tf.serialization.ConfigDict,
): tf.Tensor | undefined {
  return [inputs].flat()[layer.operands.indexOf("mask")] ?? arriving(layer, kwargs);
}

/** Inputs of nested models that stand for tensors that come with a mask. */
const entering = new WeakSet<tf.SymbolicTensor>();

/** What is known of tensors: without it, every sum of two paths would double the walk to its sources. */
const known = new WeakMap<tf.SymbolicTensor, boolean>();

const MAKERS = new Set(["Masking", "GivenMask"]);

/** Whether a tensor comes with a mask. */
export function masked(tensor: tf.SymbolicTensor): boolean {
  const answer = known.get(tensor) ?? arises(tensor);
  known.set(tensor, answer);
  return answer;
}

function arises(tensor: tf.SymbolicTensor): boolean {
  const { sourceLayer: layer } = tensor;
  const { returnSequences, needsEveryMask, layers, outputs } = layer as unknown as Fields;
  if (entering.has(tensor) || makesMask(layer)) return true;
  if (!layer.supportsMasking || returnSequences === false) return false;
  const { inputTensors, outputTensors } = layer.inboundNodes[tensor.nodeIndex] ?? {};
  if (layers) return masked(outputs![outputTensors!.indexOf(tensor)]!);
  return (needsEveryMask ? inputTensors?.every(masked) : inputTensors?.some(masked)) ?? false;
}

const makesMask = (layer: Layer): boolean =>
  MAKERS.has(layer.getClassName()) || (layer as unknown as Fields).maskZero === true;

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

/** Passes its first input on with its second for a mask: what Keras 3 writes where a model is called with a mask. */
class GivenMask extends tf.layers.Layer {
  static readonly className = "GivenMask";

  readonly operands = ["inputs", "mask"];

  constructor(config: ConstructorParameters<typeof tf.layers.Layer>[0]) {
    super(config);
    this.supportsMasking = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return [inputs].flat()[0]!.clone();
  }

  override computeMask(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.cast([inputs].flat()[1]!, "bool");
  }

  override computeOutputShape(inputShapes: tf.Shape | tf.Shape[]): tf.Shape {
    return (inputShapes as tf.Shape[])[0]!;
  }
}

export const MASKS = { ArrivingMask, GivenMask };

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

/** With which of its inputs a mask comes to a nested model. */
export type Coming = readonly boolean[];

/** Tells the inputs of a nested model with which of them a mask comes, before layers are called with them. */
export function takeMasks(inputs: readonly tf.SymbolicTensor[], coming: Coming): void {
  for (const [i, input] of inputs.entries()) if (coming[i]) entering.add(input);
}

/**
 * Has a nested model take a mask in and give one out, as Keras's do. tfjs's executor lets the layers inside see the mask that
 * came with the first input, as long as none of them makes another, and takes one mask for all outputs of a model.
 *
 * @throws AutoqnnError `bad-model` for masks of which it would take the wrong one.
 */
export function carryMasks(model: tf.LayersModel, coming: Coming, where: string): void {
  const leaving = model.outputs.filter(masked);
  const comes = coming.includes(true);
  if (!comes && leaving.length === 0) return;
  const makers = makersIn(model);
  if (coming.lastIndexOf(true) > 0 || (comes ? makers > 0 : leaving.length > 1 && makers > 1)) {
    const received = `${coming.filter(Boolean).length} that come with inputs and ${makers} that are made inside`;
    const hint = "Call the layers of the nested model directly, or make its masks outside of it.";
    throw badModel("at most one mask in a nested model, that of its first input", received, where, hint);
  }
  // A Sequential takes this field from the model that it makes of itself at the first call, unless that is there.
  if (model instanceof tf.Sequential) model.build();
  model.supportsMasking = true;
  const first = leaving[0];
  const made = first && !comes && maskOf(model, first);
  model.computeMask = (inputs, masks) => {
    const mask = ((made ? made(inputs) : first && [masks].flat()[0]) ?? null) as tf.Tensor;
    return model.outputs.length === 1 ? mask : model.outputs.map(() => mask);
  };
}

/** How many layers of a model make a mask, those of models inside it included. */
const makersIn = ({ layers }: tf.LayersModel): number =>
  layers.reduce(
    (sum, layer) =>
      sum +
      ((layer as unknown as Fields).layers
        ? makersIn(layer as unknown as tf.LayersModel)
        : Number(makesMask(layer))),
    0,
  );

/** The mask of an output of a model, computed from its inputs. */
function maskOf(
  { name, inputs }: tf.LayersModel,
  output: tf.SymbolicTensor,
): (inputs: tf.Tensor | tf.Tensor[]) => tf.Tensor {
  const mask = new ArrivingMask({ name: `${name}_output_mask` }).apply(output) as tf.SymbolicTensor;
  const model = tf.model({ inputs, outputs: mask });
  return (values) => tf.tidy(() => tf.cast(model.apply(values) as tf.Tensor, "bool"));
}
