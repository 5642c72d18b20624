import * as tf from "@tensorflow/tfjs";
import { isBuiltIn } from "../model/layers/builtIn.js";

export type Layer = tf.layers.Layer;

/** Fields that layer classes of tfjs have at run time and that their declarations keep private or leave out. */
interface Fields {
  readonly activation?: Activation;
  readonly layer?: Layer;
  readonly axis?: number | number[];
}

/** An activation function as a layer holds it. */
export interface Activation {
  apply(x: tf.Tensor): tf.Tensor;
  getClassName(): string;
}

export function fields<T extends object = Fields>(layer: Layer): T {
  return layer as unknown as T;
}

/**
 * Whether a layer is a graph of layers that may be walked, not a leaf. A model class with a `call` of its own computes
 * something the graph does not show, so it is a leaf.
 */
export function isContainer(layer: Layer): layer is tf.LayersModel {
  return (
    layer instanceof tf.LayersModel &&
    (layer.call === tf.LayersModel.prototype.call || layer.call === tf.Sequential.prototype.call)
  );
}

/** The layers that a layer holds in its own properties, alone or in lists. */
export function partsOf(layer: Layer): Layer[] {
  const values: unknown[] = Object.values(layer).flat();
  return values.filter((value): value is Layer => value instanceof tf.layers.Layer);
}

/** A leaf and the layers it holds inside: wrapped layers, recurrent cells, the parts of a composite layer. */
export function within(leaf: Layer): Layer[] {
  const found = new Set<Layer>();
  const visit = (layer: Layer): void => {
    if (found.has(layer)) return;
    found.add(layer);
    for (const part of partsOf(layer)) visit(part);
  };
  visit(leaf);
  return [...found];
}

/** The variables a leaf reads, its own first, then those of the layers inside it. */
export function variablesOf(leaf: Layer): tf.LayerVariable[] {
  return [...new Set(within(leaf).flatMap((layer) => layer.weights ?? []))];
}

/**
 * The name of a variable inside its layer, the same for a fresh and for a loaded model: what follows the layer's own name
 * scope ("kernel", "forward_lstm/recurrent_kernel"), without the suffix that keeps names unique in a process.
 */
export function shortName(variable: tf.LayerVariable, leaf: Layer): string {
  const scope = `${leaf.name}/`;
  const at = `/${variable.originalName}`.lastIndexOf(`/${scope}`);
  return at < 0 ? variable.originalName : variable.originalName.slice(at + scope.length);
}

/** The layer inside `layer` (or itself) whose last act is a softmax over the last axis, and the field that holds it. */
export function softmaxOf(layer: Layer): { holder: Layer; field: "activation" | "softmax" } | undefined {
  // What else does with its activation is not known.
  if (!isBuiltIn(layer)) return undefined;
  const { activation, axis } = fields(layer);
  if (activation?.getClassName?.() === "softmax") return { holder: layer, field: "activation" };
  switch (layer.getClassName()) {
    case "Softmax": {
      const rank = layer.inboundNodes[0]?.inputTensors[0]?.rank;
      return axis === -1 || axis === (rank ?? 0) - 1 ? { holder: layer, field: "softmax" } : undefined;
    }
    case "TimeDistributed":
      return fields(layer).layer && softmaxOf(fields(layer).layer as Layer);
    default:
      return undefined;
  }
}

export function toList<T>(value: T | T[]): T[] {
  return Array.isArray(value) ? value : [value];
}
