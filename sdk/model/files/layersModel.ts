import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { type Config, isConfig, show } from "../config.js";
import { type Bytes, copy, joined } from "./bytes.js";
import type { NumberName } from "./numbers.js";
import { assign, type Entry, match, slots } from "./slots.js";
import type { Source } from "./source.js";

type Specs = tf.io.WeightsManifestEntry[];

/** Writes the values that the weights manifest of a model.json names, found in the files beside it, into the model. */
export function fillFromManifest(model: tf.LayersModel, manifest: unknown, from: Source): Promise<void> {
  return withManifest(manifest, from, (entries) =>
    assign(match(slots(model), entries, ["place", "name", "owner"], from.location), from.location),
  );
}

/** What `body` makes of the tensors that a weights manifest names, which it can read until it returns. */
export async function withManifest<T>(
  manifest: unknown,
  from: Source,
  body: (entries: readonly Entry[]) => T,
): Promise<T> {
  if (!Array.isArray(manifest)) {
    throw badModel(
      "a list as weightsManifest",
      show(manifest),
      from.location,
      "Save the model again with tfjs.",
    );
  }
  const shards: Bytes[] = [];
  try {
    const entries: Entry[] = [];
    for (const group of manifest as unknown[]) {
      const { paths, specs } = checkGroup(group, from.location);
      const parts: Bytes[] = [];
      for (const path of paths) {
        const shard = await from.beside(path).open();
        shards.push(shard);
        parts.push(shard);
      }
      entries.push(...groupEntries(joined(parts), specs, paths, from.location));
    }
    return body(entries);
  } finally {
    for (const shard of shards) shard.close();
  }
}

/** How many numbers a weights manifest names. What is no manifest names none. */
export function elementsOf(manifest: unknown): number {
  const specs = [manifest].flat().flatMap((group) => (isConfig(group) ? [group.weights].flat() : []));
  return specs.filter(isSpec).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** The tensors of a group, which stand in its shards one behind the other, whatever the borders of the shards. */
function groupEntries(bytes: Bytes, specs: Specs, paths: readonly string[], where: string): readonly Entry[] {
  let offset = 0;
  const placed = specs.map((spec) => {
    const place = { spec, offset, length: spec.shape.reduce((a, b) => a * b, width(spec)) };
    offset += place.length;
    return place;
  });
  if (bytes.size !== offset) {
    const received = `${bytes.size} bytes in ${paths.join(", ")}`;
    throw badModel(`${offset} bytes of weights`, received, where, "Copy every shard again.");
  }
  return placed
    .filter(({ spec }) => spec.group !== "optimizer")
    .map(({ spec, offset, length }) => ({
      name: spec.name,
      shape: spec.shape,
      dtype: spec.dtype as NumberName,
      tensor: () =>
        tf.io.decodeWeights(copy(bytes, offset, length).buffer as ArrayBuffer, [spec])[spec.name]!,
    }));
}

/** Bytes per element of what stands in a file as it is. */
const PLAIN: Readonly<Record<string, number>> = { float32: 4, int32: 4, bool: 1 };

/** Bytes per element of what the converter of tfjs makes smaller. */
const CODED: Readonly<Record<string, number>> = { uint8: 1, uint16: 2, float16: 2 };

/** Bytes per element, as stored. */
function width({ dtype, quantization }: Specs[number]): number {
  return quantization ? CODED[quantization.dtype]! : PLAIN[dtype]!;
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
  const sized = spec.shape.every((size: unknown) => Number.isSafeInteger(size) && (size as number) >= 0);
  return sized && Object.hasOwn(PLAIN, String(spec.dtype)) && isCoding(spec);
}

/** Codes are values less `min` in units of `scale`, those of float16 its bits. */
function isCoding({ dtype, quantization }: Config): boolean {
  if (quantization === undefined) return true;
  if (!isConfig(quantization)) return false;
  if (quantization.dtype === "float16") return dtype === "float32";
  const scaled = Number.isFinite(quantization.min) && Number.isFinite(quantization.scale);
  return Object.hasOwn(CODED, String(quantization.dtype)) && dtype !== "bool" && scaled;
}
