import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { isConfig } from "../config.js";
import type { HostArray } from "../operations/arguments.js";
import { fromGraph } from "./graphModel.js";

/** What tfjs's GraphModel keeps of its file; private in its declarations. */
interface Kept {
  readonly artifacts?: { readonly modelTopology?: unknown };
}

/**
 * The layers model of a model that tfjs has loaded: itself, or what a GraphModel's graph becomes. A GraphModel stays as it
 * is; its weights are copied.
 *
 * @throws AutoqnnError `bad-model` for a GraphModel that keeps no graph, and for a node that cannot be computed.
 * @example
 * const model = layersModel(await tf.loadGraphModel("file://nsfw/model.json"));
 */
export function layersModel(model: tf.LayersModel | tf.GraphModel): tf.LayersModel {
  if (!(model instanceof tf.GraphModel)) return model;
  const { artifacts } = model as unknown as Kept;
  const topology = artifacts?.modelTopology;
  if (!isConfig(topology) || !Array.isArray(topology.node)) {
    const hint = "Give its path to models.load instead.";
    throw badModel("a GraphModel that has been loaded", "one without its graph", "the model", hint);
  }
  const weights = Object.entries(model.weights).map(([name, [tensor]]): [string, HostArray] => [
    name,
    { dtype: tensor!.dtype, shape: tensor!.shape, values: tensor!.dataSync() },
  ]);
  return fromGraph(
    { topology, signature: model.modelSignature, weights: new Map(weights) },
    "the GraphModel",
  );
}
