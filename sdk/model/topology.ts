import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import { badModel } from "./badModel.js";
import {
  type Config,
  isConfig,
  isContainer,
  type LayerConfig,
  layerConfig,
  layersOf,
  nameOf,
  show,
} from "./config.js";
import { withLayers } from "./layers/index.js";
import { type Reading, translateLayer } from "./translate.js";

/**
 * Builds the model of a topology as tfjs, Keras 2 or Keras 3 write it.
 *
 * @throws AutoqnnError `bad-model` naming the layer that tfjs cannot build, and why.
 */
export async function build(
  topology: unknown,
  location: string,
  weightsFollow: boolean,
): Promise<tf.LayersModel> {
  const root = layerConfig(topology, location);
  if (!isContainer(root)) {
    const hint = "Save the model as keras.Sequential or keras.Model(inputs, outputs).";
    throw badModel("a Sequential or functional model", root.class_name, location, hint);
  }
  const modelTopology = translate(root, { writer: writerOf(topology), weightsFollow }, location);
  try {
    const config = { modelTopology } as unknown as Parameters<typeof tf.models.modelFromJSON>[0];
    return await withLayers(() => tf.models.modelFromJSON(config));
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = "Rebuild the part of the model it names from layers and options that tfjs has.";
    throw badModel("a topology that tfjs can build", `"${reason}"`, location, hint, cause);
  }
}

/** The topology of a model as tfjs writes it, except that a functional model has one class, whether built or loaded. */
export function topologyOf(model: tf.LayersModel): Config {
  const named = (layer: LayerConfig): LayerConfig =>
    isContainer(layer)
      ? {
          ...layer,
          class_name: layer.class_name === "Sequential" ? "Sequential" : "Functional",
          config: { ...layer.config, layers: layersOf(layer, nameOf(layer)).map(named) },
        }
      : layer;
  return { ...named(layerConfig(model.toJSON(null, false), model.name)) };
}

function writerOf(topology: unknown): Reading["writer"] {
  if (isConfig(topology) && String(topology.keras_version).startsWith("tfjs")) return "tfjs";
  const words = /"(DTypePolicy|__keras_tensor__|batch_shape)"/;
  return words.test(JSON.stringify(topology)) ? "keras3" : "keras2";
}

function translate(layer: LayerConfig, reading: Reading, where: string): LayerConfig {
  if (!isContainer(layer)) return translateLayer(layer, reading);
  const inside = `model "${nameOf(layer)}" of ${where}`;
  return layer.class_name === "Sequential"
    ? translateSequential(layer, reading, inside)
    : translateFunctional(layer, reading, inside);
}

function translateSequential(model: LayerConfig, reading: Reading, where: string): LayerConfig {
  const layers = layersOf(model, where).map((layer) => translate(layer, reading, where));
  const [first, ...rest] = layers;
  const shape =
    model.config.build_input_shape ?? (isConfig(model.build_config) ? model.build_config.input_shape : null);
  if (!first || isContainer(first) || !Array.isArray(shape)) return sequential(model, layers);
  const shaped = { batch_input_shape: shape, ...first.config };
  return sequential(model, [{ ...first, config: shaped }, ...rest]);
}

function sequential(model: LayerConfig, layers: readonly LayerConfig[]): LayerConfig {
  return { class_name: "Sequential", config: { name: nameOf(model), layers } };
}

/** [layer, call of that layer, output of that call, options of the call] */
type Reference = readonly [name: string, call: number, output: number, options?: Config];

function translateFunctional(model: LayerConfig, reading: Reading, where: string): LayerConfig {
  const originals = layersOf(model, where);
  const models = new Set(originals.filter(isContainer).map(nameOf));
  // A model counts its own making as its first call in Keras 2 and tfjs, not in Keras 3.
  const shift = ([name, call, output, options = {}]: Reference): Reference => [
    name,
    reading.writer === "keras3" && models.has(name) ? call + 1 : call,
    output,
    options,
  ];
  const layers = originals.map((original): Called => {
    const name = nameOf(original);
    const translated = translate(original, reading, where);
    const nodes = (original.inbound_nodes ?? []).map((node) =>
      references(node, `layer "${name}"`).map(shift),
    );
    return { ...translated, name, inbound_nodes: nodes };
  });
  checkOrder(layers, where);
  const ends = (key: "input_layers" | "output_layers"): readonly (readonly unknown[])[] =>
    terminals(model.config[key], `${key} of ${where}`).map((end) => shift(end).slice(0, 3));
  const config = { name: nameOf(model), layers };
  const [inputs, outputs] = [ends("input_layers"), ends("output_layers")];
  return { class_name: "Functional", config: { ...config, input_layers: inputs, output_layers: outputs } };
}

/** The tensors that one call of a layer takes. */
function references(node: unknown, where: string): readonly Reference[] {
  if (Array.isArray(node)) {
    return node.map((item: unknown) => {
      const reference = asReference(item, where);
      return [reference[0], reference[1], reference[2], callOptions(reference[3] ?? {}, where)];
    });
  }
  if (!isConfig(node) || !Array.isArray(node.args) || node.args.length !== 1) {
    throw badModel(
      "one tensor, or one list of tensors",
      show(node),
      where,
      "Call the layer with its inputs alone.",
    );
  }
  const options = callOptions(isConfig(node.kwargs) ? node.kwargs : {}, where);
  return [node.args[0]].flat().map((tensor: unknown) => {
    const history = isConfig(tensor) && isConfig(tensor.config) ? tensor.config.keras_history : undefined;
    const [name, call, output] = asReference(history, where);
    return [name, call, output, options];
  });
}

/** What a call was told beside its inputs. Being called for inference while building says nothing of later calls. */
function callOptions(options: Config, where: string): Config {
  const left = Object.entries(options).filter(
    ([name, value]) => value !== null && value !== undefined && !(name === "training" && value === false),
  );
  if (left.some(([, value]) => typeof value === "object")) {
    const hint = "Pass further tensors (masks, states, values) as inputs of a layer that tfjs has.";
    throw badModel("a call with plain options", show(Object.fromEntries(left)), where, hint);
  }
  return Object.fromEntries(left);
}

function terminals(value: unknown, where: string): readonly Reference[] {
  const list = isConfig(value) ? Object.values(value) : value;
  if (!Array.isArray(list)) throw badModel("a list of tensors", show(value), where, "Save the model again.");
  return (typeof list[0] === "string" ? [list] : list).map((item: unknown) => asReference(item, where));
}

function asReference(value: unknown, where: string): Reference {
  if (Array.isArray(value)) {
    const [name, call, output, options] = value as unknown[];
    const counted = Number.isInteger(call) && Number.isInteger(output);
    if (
      typeof name === "string" &&
      counted &&
      (options === undefined || options === null || isConfig(options))
    ) {
      return [name, call as number, output as number, options ?? {}];
    }
  }
  throw badModel(
    "a tensor as [layer, call, output]",
    show(value),
    where,
    "Save the model again with Keras or tfjs.",
  );
}

type Called = Omit<LayerConfig, "inbound_nodes"> & {
  readonly name: string;
  readonly inbound_nodes: readonly (readonly Reference[])[];
};

/** tfjs would wait for ever for a tensor that no call makes. */
function checkOrder(layers: readonly Called[], where: string): void {
  const made = new Map<string, number>();
  for (const layer of layers)
    made.set(layer.name, isContainer(layer) || layer.class_name === "InputLayer" ? 1 : 0);
  let waiting = layers.flatMap(({ name, inbound_nodes }) =>
    inbound_nodes.map((inputs) => ({ name, inputs })),
  );
  while (waiting.length > 0) {
    const still = waiting.filter(({ name, inputs }) => {
      const ready = inputs.every(([from, call]) => call < (made.get(from) ?? 0));
      if (ready) made.set(name, (made.get(name) ?? 0) + 1);
      return !ready;
    });
    if (still.length === waiting.length) {
      const { name, inputs } = still[0]!;
      const [from, call] = inputs.find((input) => input[1] >= (made.get(input[0]) ?? 0))!;
      const received = `call ${call} of "${from}", which nothing makes,`;
      throw badModel(
        "inputs made by other layers",
        received,
        `layer "${name}" of ${where}`,
        "Save the model again.",
      );
    }
    waiting = still;
  }
}
