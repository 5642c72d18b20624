import type * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import { multipleOf } from "../model/operations/known.js";
import { isContainer, type Layer } from "./layers.js";

/** A tensor that flows through the model. `shape` as the model declares it, batch first, open dimensions null. */
export interface Slot {
  readonly shape: readonly (number | null)[];
  readonly dtype: tf.DataType;
  /** How many entries of the first dimension come of one example: 1, unless parts of examples were made examples. */
  readonly entries: number;
}

/** One execution of a leaf layer. Numbers are positions in `Plan.slots`. */
export interface Call {
  readonly kind: "call";
  readonly layer: Layer;
  readonly path: string;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/** A tensor passes the border of a model: it is the same tensor, but its mask stays behind unless the model carries masks. */
export interface Crossing {
  readonly kind: "crossing";
  readonly from: number;
  readonly to: number;
  readonly carriesMask: boolean;
}

/** The order in which a model computes, nested models unfolded. */
export interface Plan {
  readonly steps: readonly (Call | Crossing)[];
  readonly slots: readonly Slot[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  /** Every leaf layer of the model by its path, in order of first execution. */
  readonly leaves: ReadonlyMap<string, Layer>;
}

/**
 * The plan of a model: the topological order of tfjs's own executor (depth first, last input first), so that what depends
 * on order, such as masks, agrees with `model.predict`. A model with a `call` of its own is one call.
 *
 * @param open the size of what the model's inputs leave open, all but the batch; without it that stays open
 * @throws AutoqnnError `bad-option` when a layer makes nothing of inputs of that size
 */
export function planOf(model: tf.LayersModel, open?: number): Plan {
  const paths = leafPaths(model);
  const slots: Slot[] = [];
  const steps: (Call | Crossing)[] = [];
  const leaves = new Map<string, Layer>();

  const slot = (tensor: tf.SymbolicTensor, shape: Shape): number => {
    if (open !== undefined) refuseVanished(tensor, shape, open);
    const entries = Math.max(1, multipleOf(tensor));
    return slots.push({ shape, dtype: tensor.dtype ?? "float32", entries }) - 1;
  };

  const cross = (from: number, tensor: tf.SymbolicTensor, { supportsMasking }: Layer): number => {
    const to = slot(tensor, closed(tensor.shape, slots[from]!.shape));
    steps.push({ kind: "crossing", from, to, carriesMask: supportsMasking });
    return to;
  };

  const unfold = (container: tf.LayersModel, sources: readonly number[]): number[] => {
    const at = new Map(
      container.inputs.map((tensor, i) => [tensor.id, cross(sources[i]!, tensor, container)]),
    );
    const record = (tensor: tf.SymbolicTensor): void => {
      const layer = tensor.sourceLayer;
      const node = layer.inboundNodes[tensor.nodeIndex]!;
      const inputs = tensor.inputs.map((input) => at.get(input.id)!);
      if (isContainer(layer)) {
        const inner = unfold(layer, inputs);
        node.outputTensors.forEach((output, i) => void at.set(output.id, cross(inner[i]!, output, layer)));
        return;
      }
      const path = paths.get(layer) ?? layer.name;
      const shapes = shapesOf(
        layer,
        node,
        inputs.map((input) => slots[input]!.shape),
      );
      const outputs = node.outputTensors.map((output, i) => slot(output, shapes[i]!));
      node.outputTensors.forEach((output, i) => void at.set(output.id, outputs[i]!));
      steps.push({ kind: "call", layer, path, inputs, outputs });
      leaves.set(path, layer);
    };
    // A stack of its own: chains of layers may be longer than JavaScript's is deep.
    const waiting = container.outputs.toReversed();
    while (waiting.length > 0) {
      const tensor = waiting.at(-1)!;
      const missing = at.has(tensor.id) ? [] : tensor.inputs.filter((input) => !at.has(input.id));
      if (missing.length > 0) {
        waiting.push(...missing);
        continue;
      }
      waiting.pop();
      if (at.has(tensor.id)) continue;
      refuseSourceless(tensor, container);
      record(tensor);
    }
    return container.outputs.map((tensor) => at.get(tensor.id)!);
  };

  const inputs = model.inputs.map((tensor) =>
    slot(
      tensor,
      tensor.shape.map((n, axis) => (axis === 0 ? n : (n ?? open ?? null))),
    ),
  );
  const whole: Layer = model;
  if (!isContainer(whole)) {
    const outputs = model.outputs.map((tensor) => slot(tensor, tensor.shape));
    steps.push({ kind: "call", layer: whole, path: whole.name, inputs, outputs });
    return { steps, slots, inputs, outputs, leaves: new Map([[whole.name, whole]]) };
  }
  const outputs = unfold(whole, inputs);
  for (const [layer, path] of paths) if (!leaves.has(path)) leaves.set(path, layer);
  return { steps, slots, inputs, outputs, leaves };
}

type Shape = readonly (number | null)[];

/** A shape whose open dimensions are those of another, where that has them. */
function closed(shape: Shape, other: Shape): Shape {
  return shape.length === other.length ? shape.map((n, i) => n ?? other[i]!) : shape;
}

/** The shapes that a call gives: as declared, but a nested model may have been called with more than it asks for. */
function shapesOf(
  layer: Layer,
  { inputTensors, outputTensors }: Layer["inboundNodes"][number],
  inputs: readonly Shape[],
): Shape[] {
  const declared = outputTensors.map(({ shape }) => shape);
  const open = declared.some((shape) => shape.slice(1).includes(null));
  if (!open || inputs.every((shape, i) => String(shape) === String(inputTensors[i]!.shape))) return declared;
  const given = inputs.map((shape) => [...shape]);
  const known = layer.computeOutputShape(given.length === 1 ? given[0]! : given) as tf.Shape | tf.Shape[];
  const shapes = (Array.isArray(known[0]) ? known : [known]) as tf.Shape[];
  return declared.map((shape, i) => closed(shape, shapes[i]!));
}

function refuseVanished(tensor: tf.SymbolicTensor, shape: Shape, open: number): void {
  if (shape.every((n, axis) => axis === 0 || n === null || n > 0)) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected an openDimension that leaves every layer something to compute, received ${open}, which makes [${shape}] of "${tensor.name}".`,
    "Give the size that the network is meant for, such as 224.",
  );
}

function refuseSourceless(tensor: tf.SymbolicTensor, container: tf.LayersModel): void {
  if (tensor.inputs.length > 0 && tensor.sourceLayer.inboundNodes[tensor.nodeIndex]) return;
  throw new AutoqnnError(
    "bad-model",
    `Expected every tensor of model "${container.name}" to follow from its inputs, received "${tensor.name}" without a source.`,
    "List the missing input among the model's inputs.",
  );
}

/** Paths of all leaves: layer names, prefixed by the names of the nested models they are in. */
function leafPaths(model: tf.LayersModel): Map<Layer, string> {
  const paths = new Map<Layer, string>();
  const visit = (container: tf.LayersModel, prefix: string): void => {
    for (const layer of container.layers) {
      if (isContainer(layer)) visit(layer, `${prefix}${layer.name}/`);
      else if (!paths.has(layer) && layer.getClassName() !== "InputLayer")
        paths.set(layer, prefix + layer.name);
    }
  };
  visit(model, "");
  return paths;
}
