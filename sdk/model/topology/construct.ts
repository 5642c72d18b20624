import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import { freeName } from "../config.js";
import { type Coming, carryMasks, masked, takeMasks } from "../layers/masks.js";
import { apart } from "../layers/passing.js";
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

/** @param coming for a model inside a model, with which of its inputs a mask comes */
function constructPart(blueprint: Blueprint, where: string, coming?: Coming): Layer {
  if (blueprint.kind === "layer") return constructLayer(blueprint, where);
  const inside = `model "${blueprint.name}" of ${where}`;
  const model =
    blueprint.kind === "sequential"
      ? constructSequential(blueprint, inside, coming)
      : constructFunctional(blueprint, inside, coming);
  if (coming) carryMasks(model, coming, inside);
  return model;
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

function constructSequential(
  { name, layers }: SequentialBlueprint,
  where: string,
  coming: Coming = [],
): tf.LayersModel {
  const model = tf.sequential({ name });
  for (const [i, blueprint] of layers.entries()) {
    const layer = constructPart(blueprint, where, i === 0 ? coming : model.outputs.map(masked));
    naming(`layer "${blueprint.name}" of ${where}`, () => model.add(layer));
    if (i === 0) takeMasks(model.inputs, coming);
  }
  return model;
}

function constructFunctional(
  blueprint: FunctionalBlueprint,
  where: string,
  coming: Coming = [],
): tf.LayersModel {
  const outputs = new Map<string, readonly tf.SymbolicTensor[]>();
  const built = new Map<string, Layer>();
  for (const { blueprint: part, calls } of blueprint.layers) {
    // A model is built when it is called: what comes with its inputs is known then.
    if (part.kind !== "layer" && calls.length > 0) continue;
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
  const ends = (references: readonly Reference[], at: string): tf.SymbolicTensor[] =>
    references.map((reference) => find(reference, `${at} of ${where}`));
  if (coming.includes(true)) takeMasks(ends(blueprint.inputs, "input_layers"), coming);
  const called = atCall(blueprint, built, where);
  const taken = new Set(blueprint.layers.map(({ blueprint: { name } }) => name));
  for (const { layer, call, inputs } of inOrder(blueprint.layers, where)) {
    const at = `layer "${layer}" of ${where}`;
    const tensors = inputs.map((reference) => find(reference, at));
    const own = called(layer, tensors);
    const distinct = apart(tensors, () => freeName(`${layer}_again`, taken));
    const result = naming(at, () => own.apply(distinct.length === 1 ? distinct[0]! : distinct));
    outputs.set(keyOf(layer, call), [result].flat() as tf.SymbolicTensor[]);
  }
  return naming(where, () =>
    tf.model({
      name: blueprint.name,
      inputs: ends(blueprint.inputs, "input_layers"),
      outputs: ends(blueprint.outputs, "output_layers"),
    }),
  );
}

/** Gives the layer of a name to what calls it with `tensors`; a model is built then. */
function atCall(
  { layers }: FunctionalBlueprint,
  built: Map<string, Layer>,
  where: string,
): (name: string, tensors: readonly tf.SymbolicTensor[]) => Layer {
  const parts = new Map(layers.map(({ blueprint }) => [blueprint.name, blueprint]));
  const coming = new Map<string, Coming>();
  return (name, tensors) => {
    const part = parts.get(name)!;
    if (part.kind === "layer") return built.get(name)!;
    const [before, now] = [coming.get(name), tensors.map(masked)];
    if (before && String(before) !== String(now)) {
      const hint = "Make one model for calls with a mask and one for calls without.";
      const received = `masks with inputs [${before}] and [${now}]`;
      throw badModel(
        "calls that agree on whether a mask comes",
        received,
        `model "${name}" of ${where}`,
        hint,
      );
    }
    coming.set(name, now);
    const model = built.get(name) ?? constructPart(part, where, now);
    built.set(name, model);
    return model;
  };
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
