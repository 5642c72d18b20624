import type * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import {
  type Config,
  distinctLayersOf,
  isConfig,
  isContainer,
  type LayerConfig,
  layerConfig,
  layersOf,
  nameOf,
} from "../config.js";
import { withLayers } from "../layers/index.js";
import type { Blueprint, SequentialBlueprint } from "./blueprint.js";
import { construct } from "./construct.js";
import { translateFunctional } from "./functional.js";
import { checkCalls, checkDepth, withWeightLimit } from "./limits.js";
import { type Reading, translateLayer } from "./translate.js";

/**
 * Builds the model of a topology as tfjs, Keras 2 or Keras 3 write it.
 *
 * @param follow how many numbers a file holds for the weights, which are zero until these are written; undefined: fresh
 * weights are drawn.
 * @throws AutoqnnError `bad-model` naming the layer that cannot be read or built, and why.
 */
export function build(topology: unknown, location: string, follow?: number): tf.LayersModel {
  checkDepth(topology, location);
  const root = layerConfig(topology, location);
  if (!isContainer(root)) {
    const hint = "Save the model as keras.Sequential or keras.Model(inputs, outputs).";
    throw badModel("a Sequential or functional model", root.class_name, location, hint);
  }
  const reading: Reading = { writer: writerOf(topology), weightsFollow: follow !== undefined };
  const blueprint = translate(root, {}, reading, location);
  checkCalls(blueprint, location);
  return withWeightLimit(follow, location, () =>
    withLayers(() => construct(blueprint, location)),
  ) as tf.LayersModel;
}

/** The topology of a model as tfjs writes it, except that a functional model has one class, whether built or loaded. */
export function topologyOf(model: tf.LayersModel): Config {
  const uniform = (layer: LayerConfig): LayerConfig =>
    isContainer(layer)
      ? {
          ...layer,
          class_name: layer.class_name === "Sequential" ? "Sequential" : "Functional",
          config: { ...layer.config, layers: layersOf(layer, nameOf(layer)).map(uniform) },
        }
      : layer;
  return { ...uniform(layerConfig(model.toJSON(null, false), model.name)) };
}

function writerOf(topology: unknown): Reading["writer"] {
  if (isConfig(topology) && String(topology.keras_version).startsWith("tfjs")) return "tfjs";
  const words = /"(DTypePolicy|__keras_tensor__|batch_shape)"/;
  return words.test(JSON.stringify(topology)) ? "keras3" : "keras2";
}

/** `options` are those that follow from how the layer is called; `shape` is that of its input, where it stands first. */
function translate(
  layer: LayerConfig,
  options: Config,
  reading: Reading,
  where: string,
  shape?: readonly unknown[],
): Blueprint {
  const name = nameOf(layer);
  if (layer.class_name === "Sequential") return translateSequential(layer, reading, where, shape);
  if (isContainer(layer)) {
    const inside = `model "${name}" of ${where}`;
    return translateFunctional(layer, reading, inside, (part, more) =>
      translate(part, more, reading, inside),
    );
  }
  const { layer: inner, ...others } = layer.config;
  const model =
    isConfig(inner) && typeof inner.class_name === "string" ? layerConfig(inner, where) : undefined;
  const wraps = model !== undefined && isContainer(model);
  const given = {
    ...(shape && { batch_input_shape: shape }),
    ...(wraps ? others : layer.config),
    ...options,
  };
  const { class_name: className, config } = translateLayer({ ...layer, config: given }, reading);
  const blueprint: Blueprint = { kind: "layer", name, className, config: named(config, layer) };
  return wraps
    ? { ...blueprint, wrapped: translate(model, {}, reading, `layer "${name}" of ${where}`) }
    : blueprint;
}

/** What refers to a layer calls it by its outer name. */
function named(config: Config, { name }: LayerConfig): Config {
  return name === undefined ? config : { ...config, name };
}

function translateSequential(
  model: LayerConfig,
  reading: Reading,
  where: string,
  given?: readonly unknown[],
): SequentialBlueprint {
  const inside = `model "${nameOf(model)}" of ${where}`;
  const [first, ...rest] = distinctLayersOf(model, inside);
  const shape = [model.config.build_input_shape, builtShape(model), given, first && builtShape(first)].find(
    (each) => Array.isArray(each) && each.every((size) => size === null || typeof size === "number"),
  );
  const begin = first && translate(first, {}, reading, inside, shape as readonly unknown[] | undefined);
  return {
    kind: "sequential",
    name: nameOf(model),
    layers: [...(begin ? [begin] : []), ...rest.map((layer) => translate(layer, {}, reading, inside))],
  };
}

/** The shape of the input for which Keras built a layer, where it says so. */
function builtShape({ build_config: built }: LayerConfig): unknown {
  return isConfig(built) ? built.input_shape : undefined;
}
