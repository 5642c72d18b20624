import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { engine } from "../engine/index.js";
import { AutoqnnError } from "../errors.js";
import { EVERY_EDGE, type QuantizedGraph, quantizedGraph } from "../graph/graph.js";
import { build } from "../model/topology/topology.js";
import { type Artifact, FILES, type Manifest, manifest as schema, sha256, VERSION } from "./artifact.js";
import { QuantizedModel } from "./quantizedModel.js";

const RESTORE = "Copy the whole artifact again, or generate it anew.";

/**
 * Reads an artifact that `save` wrote. Its predictions are those of the saved model, bit by bit, on the same engine, which
 * is made tfjs's current backend.
 *
 * @throws AutoqnnError `bad-file` for a file that is missing, damaged, of another size or of another format; `bad-model`
 * for a layer that is not known here, such as a class of the model's own that is not registered.
 * @example
 * const quantized = await load("out/");
 * quantized.summary();
 */
export async function load(directory: string): Promise<QuantizedModel> {
  const path = join(directory, FILES.manifest);
  const manifest = checkManifest(path, parse(path, new TextDecoder().decode(await read(path))));
  const { sizes, checksums } = manifest;
  const artifact: Artifact = {
    manifest,
    packed: await readData(join(directory, FILES.packed), sizes.packedBytes, checksums.packed),
    floating: await readData(join(directory, FILES.floating), sizes.floatingBytes, checksums.floating),
  };
  checkFactors(path, artifact);
  await engine();
  const graph = rebuild(path, manifest);
  checkVariables(path, manifest, graph);
  return new QuantizedModel(artifact, graph);
}

async function read(path: string): Promise<Uint8Array> {
  const bytes = await readFile(path).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badFile(
      path,
      "a readable file of an artifact",
      reason,
      "Give the directory that save wrote.",
      cause,
    );
  });
  return new Uint8Array(bytes);
}

async function readData(path: string, size: number, checksum: string): Promise<Uint8Array> {
  const bytes = await read(path);
  if (bytes.length !== size) throw badFile(path, `${size} bytes`, `${bytes.length} bytes`);
  const received = sha256(bytes);
  if (received !== checksum) throw badFile(path, `sha256 ${checksum}`, received);
  return bytes;
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw badFile(path, "JSON", cause instanceof Error ? cause.message : "other text", RESTORE, cause);
  }
}

/** The manifest, complete and consistent with itself, so that nothing behind it needs to check again. */
function checkManifest(path: string, json: unknown): Manifest {
  const result = schema.safeParse(json);
  if (!result.success) {
    const { path: place, message } = result.error.issues[0]!;
    throw badFile(
      path,
      `an artifact of format "autoqnn", version 1 to ${VERSION}`,
      `"${message}" at ${place.join(".") || "the top"}`,
    );
  }
  const manifest = result.data;
  let bits = 0;
  for (const node of manifest.nodes) {
    const { id, kind, shape, elements, offset, thresholds, levels } = node;
    if (levels.length !== thresholds.length + 1 || thresholds.some((t, k) => t < thresholds[k - 1]!)) {
      throw badFile(path, `ascending thresholds and one level more at "${id}"`, "others");
    }
    if (product(shape) !== elements)
      throw badFile(path, `${product(shape)} elements at "${id}"`, `${elements}`);
    const start = kind === "weight" ? bits : undefined;
    if (offset !== start) throw badFile(path, `offset ${start} at "${id}"`, `${offset}`);
    if (kind === "weight" && levels.length > 2 ** node.bits) {
      throw badFile(path, `at most ${2 ** node.bits} levels at "${id}"`, `${levels.length}`);
    }
    if (kind === "weight") bits += elements * node.bits;
  }
  let values = 0;
  for (const { variable, shape, offset } of manifest.floating) {
    if (offset !== values) throw badFile(path, `offset ${values} at "${variable}"`, `${offset}`);
    values += product(shape);
  }
  for (const { id, kind, shape, factor } of manifest.nodes) {
    if (!factor) continue;
    if (manifest.version === 1 || kind !== "weight") throw badFile(path, `no factor at "${id}"`, "one");
    const broadcasts = factor.shape.every((size, axis) => size === 1 || size === shape[axis]);
    if (factor.shape.length !== shape.length || !broadcasts) {
      throw badFile(path, `a factor that broadcasts to [${shape}] at "${id}"`, `shape [${factor.shape}]`);
    }
    if (factor.offset !== values)
      throw badFile(path, `factor offset ${values} at "${id}"`, `${factor.offset}`);
    values += product(factor.shape);
  }
  const { packedBytes, floatingBytes } = manifest.sizes;
  if (packedBytes !== Math.ceil(bits / 8)) {
    throw badFile(path, `${Math.ceil(bits / 8)} packed bytes`, `${packedBytes}`);
  }
  if (floatingBytes !== 4 * values) {
    throw badFile(path, `${4 * values} floating bytes`, `${floatingBytes}`);
  }
  return manifest;
}

function checkFactors(path: string, { manifest, floating }: Artifact): void {
  const view = new DataView(floating.buffer, floating.byteOffset, floating.byteLength);
  for (const { id, factor } of manifest.nodes) {
    for (let i = 0; factor && i < product(factor.shape); i++) {
      const value = view.getFloat32(4 * (factor.offset + i), true);
      if (!Number.isFinite(value)) throw badFile(path, `finite factors at "${id}"`, `${value}`);
    }
  }
}

/** Every edge that may be a node is one here; the manifest says which of them have a quantizer. */
function rebuild(path: string, { topology, nodes, floating }: Manifest): QuantizedGraph {
  const weights = [...nodes.filter(({ kind }) => kind === "weight"), ...floating];
  const elements = weights.reduce((sum, { shape }) => sum + product(shape), 0);
  const model = build(topology, path, elements);
  return quantizedGraph(model, EVERY_EDGE);
}

function checkVariables(path: string, { nodes, floating }: Manifest, graph: QuantizedGraph): void {
  const stored = new Map([
    ...nodes.filter(({ kind }) => kind === "weight").map(({ id, shape }) => [id, shape] as const),
    ...floating.map(({ variable, shape }) => [variable, shape] as const),
  ]);
  for (const { name, shape } of graph.variables) {
    const found = stored.get(name);
    if (String(found) !== String(shape)) {
      throw badFile(path, `values of shape [${shape}] for "${name}"`, found ? `[${found}]` : "none");
    }
  }
  const ids = new Set(graph.nodes.map(({ id }) => id));
  const stray = nodes.find(({ id }) => !ids.has(id));
  if (stray) throw badFile(path, "nodes of this topology", `"${stray.id}"`);
}

function badFile(
  path: string,
  expected: string,
  received: string,
  hint = RESTORE,
  cause?: unknown,
): AutoqnnError {
  const options = cause === undefined ? {} : { cause };
  return new AutoqnnError(
    "bad-file",
    `Expected ${expected}, received ${received} in ${path}.`,
    hint,
    options,
  );
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
