import type * as tf from "@tensorflow/tfjs";
import { badModel } from "./badModel.js";
import type { Blueprint, SequentialBlueprint } from "./blueprint.js";
import {
  type Config,
  isConfig,
  isContainer,
  type LayerConfig,
  layerConfig,
  layersOf,
  nameOf,
} from "./config.js";
import { construct } from "./construct.js";
import { translateFunctional } from "./functional.js";
import { withLayers } from "./layers/index.js";
import { type Reading, translateLayer } from "./translate.js";

/**
 * Builds the model of a topology as tfjs, Keras 2 or Keras 3 write it.
 *
 * @throws AutoqnnError `bad-model` naming the layer that tfjs cannot build, and why.
 */
export function build(topology: unknown, location: string, weightsFollow: boolean): tf.LayersModel {
  const root = layerConfig(topology, location);
  if (!isContainer(root)) {
    const hint = "Save the model as keras.Sequential or keras.Model(inputs, outputs).";
    throw badModel("a Sequential or functional model", root.class_name, location, hint);
  }
  const blueprint = translate(root, {}, { writer: writerOf(topology), weightsFollow }, location);
  return withLayers(() => construct(blueprint, location)) as tf.LayersModel;
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

/** `options` are those that follow from how the layer is called. */
function translate(layer: LayerConfig, options: Config, reading: Reading, where: string): Blueprint {
  if (!isContainer(layer)) {
    const { class_name: className, config } = translateLayer(
      { ...layer, config: { ...layer.config, ...options } },
      reading,
    );
    const name = nameOf(layer);
    return { kind: "layer", name, className, config: { ...config, name } };
  }
  const inside = `model "${nameOf(layer)}" of ${where}`;
  return layer.class_name === "Sequential"
    ? translateSequential(layer, reading, inside)
    : translateFunctional(layer, reading, inside, (part, more) => translate(part, more, reading, inside));
}

function translateSequential(model: LayerConfig, reading: Reading, where: string): SequentialBlueprint {
  const [first, ...rest] = layersOf(model, where);
  const shape =
    model.config.build_input_shape ?? (isConfig(model.build_config) ? model.build_config.input_shape : null);
  const shaped =
    first && !isContainer(first) && Array.isArray(shape)
      ? { ...first, config: { batch_input_shape: shape, ...first.config } }
      : first;
  const layers = shaped ? [shaped, ...rest] : rest;
  return {
    kind: "sequential",
    name: nameOf(model),
    layers: layers.map((layer) => translate(layer, {}, reading, where)),
  };
}
