import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import type { Blueprint, FunctionalBlueprint, LayerBlueprint, SequentialBlueprint } from "./blueprint.js";
import type { Reference } from "./calls.js";
import { inOrder, keyOf, madeByNothing } from "./order.js";

type Layer = tf.layers.Layer;

/**
 * Builds the layers of `blueprint` and calls them. (tfjs's own reader counts a layer's calls in the order in which they
 * happen to become possible, waits for ever for a tensor that nothing makes, and names no layer in its errors.)
 *
 * @throws AutoqnnError `bad-model` naming the layer that cannot be built or called; nothing is left in memory then.
 */
export function construct(blueprint: Blueprint, where: string): Layer {
  const before = new Set(Object.keys(tf.engine().registeredVariables));
  try {
    return constructPart(blueprint, where);
  } catch (error) {
    for (const [name, variable] of Object.entries(tf.engine().registeredVariables)) {
      if (!before.has(name)) variable.dispose();
    }
    throw error;
  }
}

function constructPart(blueprint: Blueprint, where: string): Layer {
  const inside = `model "${blueprint.name}" of ${where}`;
  switch (blueprint.kind) {
    case "layer":
      return constructLayer(blueprint, where);
    case "sequential":
      return constructSequential(blueprint, inside);
    case "functional":
      return constructFunctional(blueprint, inside);
  }
}

function constructLayer(blueprint: LayerBlueprint, where: string): Layer {
  const { name, className, config, wrapped } = blueprint;
  const inner = wrapped && constructPart(wrapped, `layer "${name}" of ${where}`);
  return naming(`layer "${name}" of ${where}`, () => {
    const [kind, fromConfig] = tf.serialization.SerializationMap.getMap().classNameMap[className]!;
    const options = camelCased(config) as tf.serialization.ConfigDict;
    return (inner ? new kind({ ...options, layer: inner }) : fromConfig(kind, options)) as Layer;
  });
}

function constructSequential({ name, layers }: SequentialBlueprint, where: string): Layer {
  const model = tf.sequential({ name });
  for (const blueprint of layers) {
    const layer = constructPart(blueprint, where);
    naming(`layer "${blueprint.name}" of ${where}`, () => model.add(layer));
  }
  return model;
}

function constructFunctional(blueprint: FunctionalBlueprint, where: string): Layer {
  const outputs = new Map<string, readonly tf.SymbolicTensor[]>();
  const built = new Map<string, Layer>();
  for (const { blueprint: part } of blueprint.layers) {
    const layer = constructPart(part, where);
    built.set(part.name, layer);
    if (layer.inboundNodes.length === 1 && layer.getClassName() === "InputLayer") {
      outputs.set(keyOf(part.name, 0), layer.inboundNodes[0]!.outputTensors);
    }
  }
  const find = (reference: Reference, at: string): tf.SymbolicTensor => {
    const tensor = outputs.get(keyOf(reference.layer, reference.call))?.[reference.output];
    if (tensor) return tensor;
    throw madeByNothing(reference, at);
  };
  for (const { layer, call, inputs } of inOrder(blueprint.layers, where)) {
    const at = `layer "${layer}" of ${where}`;
    const tensors = inputs.map((reference) => find(reference, at));
    const result = naming(at, () => built.get(layer)!.apply(tensors.length === 1 ? tensors[0]! : tensors));
    outputs.set(keyOf(layer, call), [result].flat() as tf.SymbolicTensor[]);
  }
  const ends = (references: readonly Reference[], at: string): tf.SymbolicTensor[] =>
    references.map((reference) => find(reference, `${at} of ${where}`));
  return naming(where, () =>
    tf.model({
      name: blueprint.name,
      inputs: ends(blueprint.inputs, "input_layers"),
      outputs: ends(blueprint.outputs, "output_layers"),
    }),
  );
}

/** Runs `body`, whose errors are told of the place `where`. */
function naming<T>(where: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = "Rebuild the part of the model it names from layers and options that tfjs has.";
    throw badModel("a topology that tfjs can build", `"${reason}"`, where, hint, cause);
  }
}

/** What tfjs does to a configuration before it makes a layer of it: words change their case, but for names. */
function camelCased(value: unknown): unknown {
  if (typeof value === "string") return camelCase(value);
  if (Array.isArray(value)) return value.map(camelCased);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) =>
      key === "name" && typeof each === "string" ? [key, each] : [camelCase(key), camelCased(each)],
    ),
  );
}

function camelCase(word: string): string {
  return word.length <= 1 ? word : word.replace(/_+(\w|$)/g, (_, letter: string) => letter.toUpperCase());
}
