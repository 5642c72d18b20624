import * as tf from "@tensorflow/tfjs";
import { badModel } from "./badModel.js";
import { type Config, isConfig, show } from "./config.js";
import { type Entry, match, type Pairs, slots } from "./slots.js";
import type { Source } from "./source.js";

type Specs = tf.io.WeightsManifestEntry[];

/** The values that the weights manifest of a model.json names, found in the files beside it. */
export async function manifestPairs(model: tf.LayersModel, manifest: unknown, from: Source): Promise<Pairs> {
  if (!Array.isArray(manifest)) {
    throw badModel(
      "a list as weightsManifest",
      show(manifest),
      from.location,
      "Save the model again with tfjs.",
    );
  }
  const entries: Entry[] = [];
  for (const group of manifest as unknown[]) {
    const { paths, specs } = checkGroup(group, from.location);
    const shards = await Promise.all(paths.map((path) => from.beside(path).read()));
    const bytes = Buffer.concat(shards);
    const expected = specs.reduce(
      (sum, spec) => sum + spec.shape.reduce((a, b) => a * b, 1) * width(spec),
      0,
    );
    if (bytes.length !== expected) {
      const received = `${bytes.length} bytes in ${paths.join(", ")}`;
      throw badModel(`${expected} bytes of weights`, received, from.location, "Copy every shard again.");
    }
    const tensors = tf.io.decodeWeights(new Uint8Array(bytes).buffer, specs);
    for (const { name, shape, group: kind } of specs) {
      if (kind === "optimizer") tensors[name]!.dispose();
      else entries.push({ name, shape, tensor: () => tensors[name]! });
    }
  }
  return match(slots(model), entries, ["name", "owner"], from.location);
}

const WIDTHS: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  uint8: 1,
  bool: 1,
  uint16: 2,
  float16: 2,
};

/** Bytes per element, as stored. */
function width({ dtype, quantization }: Specs[number]): number {
  return WIDTHS[quantization?.dtype ?? dtype] ?? 0;
}

function checkGroup(group: unknown, where: string): { paths: readonly string[]; specs: Specs } {
  const hint = "Save the model again with tfjs.";
  const isPath = (path: unknown): boolean => typeof path === "string";
  if (
    !isConfig(group) ||
    !Array.isArray(group.paths) ||
    !group.paths.every(isPath) ||
    !Array.isArray(group.weights)
  ) {
    throw badModel("{ paths, weights } in the weights manifest", show(group), where, hint);
  }
  for (const spec of group.weights as unknown[]) {
    if (!isSpec(spec)) throw badModel("a weight as { name, shape, dtype }", show(spec), where, hint);
  }
  return { paths: group.paths as string[], specs: group.weights as Specs };
}

function isSpec(spec: unknown): spec is Specs[number] {
  if (!isConfig(spec) || typeof spec.name !== "string" || !Array.isArray(spec.shape)) return false;
  const quantization: Config = isConfig(spec.quantization) ? spec.quantization : {};
  const sized = spec.shape.every((size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0);
  return sized && String(quantization.dtype ?? spec.dtype) in WIDTHS;
}
