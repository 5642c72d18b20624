import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { InceptionV3Model } from "nsfwjs/models/inception_v3";
import { MobileNetV2Model } from "nsfwjs/models/mobilenet_v2";
import { MobileNetV2MidModel } from "nsfwjs/models/mobilenet_v2_mid";
import type { Split } from "../../sdk/index.js";

/** Trained networks of the package nsfwjs: two layers models and a graph model. */
export const NETWORKS = {
  MobileNetV2: MobileNetV2Model,
  InceptionV3: InceptionV3Model,
  graph: MobileNetV2MidModel,
};

export type TrainedNetwork = keyof typeof NETWORKS;

interface ModelJson {
  readonly weightsManifest: readonly { readonly paths: readonly string[] }[];
}

const content = (module: unknown): unknown => (module as { default?: unknown }).default ?? module;

/** Writes a network, which the package holds as modules, below `directory` as the files that it was made from. */
export async function unpacked(name: TrainedNetwork, directory: string): Promise<string> {
  const { modelJson, weightBundles } = NETWORKS[name];
  const path = join(directory, name);
  mkdirSync(path);
  const json = content(await modelJson()) as ModelJson;
  writeFileSync(join(path, "model.json"), JSON.stringify(json));
  const shards = json.weightsManifest.flatMap(({ paths }) => paths);
  for (const [i, bundle] of weightBundles.entries()) {
    writeFileSync(join(path, shards[i]!), Buffer.from(String(content(await bundle())), "base64"));
  }
  return path;
}

/** The images of a split, in one tensor. */
export async function all(split: Split): Promise<tf.Tensor> {
  const parts: tf.Tensor[] = [];
  for await (const { x, y } of split) {
    parts.push(x);
    y.dispose();
  }
  const whole = tf.concat(parts);
  tf.dispose(parts);
  return whole;
}
