import { badModel } from "../badModel.js";
import {
  type Config,
  distinctLayersOf,
  freeName,
  isConfig,
  isContainer,
  type LayerConfig,
  layersOf,
  nameOf,
  show,
} from "../config.js";
import { bind } from "./binding.js";
import type { Blueprint, CalledLayer, FunctionalBlueprint } from "./blueprint.js";
import { type Call, keysInOrder, type Reference, readCall, readTerminals, type Template } from "./calls.js";
import { signatureOf } from "./classes.js";
import { isOperation, operationOf } from "./operation.js";
import { madeByNothing } from "./order.js";
import type { Reading } from "./translate.js";

/**
 * A functional model of any writer. `translate` makes the blueprint of one of its layers, with further options.
 *
 * @throws AutoqnnError `bad-model` naming the layer whose calls cannot be read.
 */
export function translateFunctional(
  model: LayerConfig,
  reading: Reading,
  where: string,
  translate: (layer: LayerConfig, options: Config) => Blueprint,
): FunctionalBlueprint {
  const originals = distinctLayersOf(model, where);
  const byName = new Map(originals.map((layer) => [nameOf(layer), layer]));
  const count = (reference: Reference, terminal: boolean, at: string): Reference => {
    const layer = byName.get(reference.layer);
    const call = reference.call - (layer ? firstCall(layer, reading, terminal) : 0);
    if (layer && call >= 0) return { ...reference, call };
    throw madeByNothing(reference, at);
  };
  // Calls of an operation that differ in more than their tensors become calls of several layers.
  const moved = new Map<string, readonly Reference[]>();
  const taken = new Set(byName.keys());
  const layers = originals.flatMap((original): readonly CalledLayer[] => {
    const name = nameOf(original);
    const at = `layer "${name}" of ${where}`;
    if (original.class_name === "InputLayer") return [{ blueprint: translate(original, {}), calls: [] }];
    const calls = nodesOf(original, at).map((node) => {
      const call = readCall(node, at);
      return { ...call, inputs: call.inputs.map((reference) => count(reference, false, at)) };
    });
    // What nothing calls computes nothing.
    if (calls.length === 0) return [];
    if (!isOperation(original)) {
      const { inputs, config } = bind(
        isContainer(original) ? calls.map((call) => inOrderOf(original, call)) : calls,
        signatureOf(original, at),
        at,
      );
      const called = { blueprint: translate(original, isContainer(original) ? {} : config), calls: inputs };
      return isContainer(original) && config.inputs
        ? maskGiven(called, freeName(`${name}_mask`, taken), at)
        : [called];
    }
    const groups = new Map<string, number[]>();
    for (const [i, call] of calls.entries()) {
      const key = JSON.stringify(call.arguments);
      groups.set(key, [...(groups.get(key) ?? []), i]);
    }
    const places: Reference[] = [];
    const operations = [...groups.values()].map((members, i): CalledLayer => {
      const own = i === 0 ? name : freeName(name, taken);
      for (const [call, position] of members.entries()) places[position] = { layer: own, call, output: 0 };
      const operation = operationOf(original, own, calls[members[0]!]!.arguments, at);
      return {
        blueprint: translate(operation, {}),
        calls: members.map((position) => calls[position]!.inputs),
      };
    });
    moved.set(name, places);
    return operations;
  });
  const place = (reference: Reference): Reference => {
    const to = moved.get(reference.layer)?.[reference.call];
    return to ? { ...to, output: reference.output } : reference;
  };
  const terminals = (key: "input_layers" | "output_layers"): readonly Reference[] =>
    readTerminals(model.config[key], `${key} of ${where}`).map((reference) =>
      place(count(reference, true, `${key} of ${where}`)),
    );
  return {
    kind: "functional",
    name: nameOf(model),
    layers: layers.map(({ blueprint, calls }) => ({
      blueprint,
      calls: calls.map((inputs) => inputs.map(place)),
    })),
    inputs: terminals("input_layers"),
    outputs: terminals("output_layers"),
  };
}

/** A model that is called with a mask: its input comes by way of a layer that gives it the mask. */
function maskGiven(model: CalledLayer, name: string, where: string): readonly CalledLayer[] {
  if (model.calls.some((inputs) => inputs.length !== 2)) {
    const hint = "Call the layers of the nested model directly.";
    throw badModel("a mask for a nested model of one input", "a mask and several inputs", where, hint);
  }
  const blueprint: Blueprint = { kind: "layer", name, className: "GivenMask", config: { name } };
  const calls = model.calls.map((_, call) => [{ layer: name, call, output: 0 }]);
  return [
    { blueprint, calls: model.calls },
    { ...model, calls },
  ];
}

/** The number that the writer gives to the first call of `layer`. Some count the making of a model as a call of it. */
function firstCall(layer: LayerConfig, { writer }: Reading, terminal: boolean): 0 | 1 {
  if (!isContainer(layer)) return 0;
  const sequential = layer.class_name === "Sequential";
  switch (writer) {
    case "tfjs":
      return 1;
    case "keras3":
      return terminal && !sequential ? 1 : 0;
    case "keras2": {
      const [first] = sequential ? layersOf(layer, nameOf(layer)) : [];
      const begun = first && (first.class_name === "InputLayer" || "batch_input_shape" in first.config);
      return sequential && !begun ? 0 : 1;
    }
  }
}

/** A model takes a dictionary by the names of its inputs, whether it was made from a dictionary or from a list. */
function inOrderOf(model: LayerConfig, call: Call): Call {
  const [first, ...rest] = call.arguments.positional;
  if (typeof first !== "object" || first === null || !("dict" in first)) return call;
  const inputs = model.config.input_layers;
  const named = isConfig(inputs)
    ? keysInOrder(inputs)
    : readTerminals(inputs, nameOf(model)).map(({ layer }) => layer);
  if (!named.every((name) => name in first.dict)) return call;
  const list: readonly Template[] = named.map((name) => first.dict[name]!);
  return { ...call, arguments: { ...call.arguments, positional: [list, ...rest] } };
}

function nodesOf(layer: LayerConfig, where: string): readonly unknown[] {
  const nodes: unknown = layer.inbound_nodes ?? [];
  if (Array.isArray(nodes)) return nodes;
  throw badModel(
    "a list of calls as inbound_nodes",
    show(nodes),
    where,
    "Save the model again with Keras or tfjs.",
  );
}
