import { createHash } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { engine } from "../engine/index.js";
import { AutoqnnError } from "../errors.js";
import { type QuantizedGraph, quantizedGraph } from "../graph/graph.js";
import { type Artifact, type Manifest, manifest as schema } from "./artifact.js";
import { QuantizedModel } from "./quantizedModel.js";

const MANIFEST = "model.json";
const DATA = { packed: "packed.bin", floating: "floating.bin" } as const;
/** Where files lie until all of them are complete; a leftover of a killed run is removed by the next. */
const STAGING = ".autoqnn-partial";

/** What `model.json` says of the files beside it, so that files of two artifacts are never taken for one. */
type Checksums = Readonly<Record<string, string>>;

/**
 * Makes sure, before any work is done, that an artifact can be saved in `directory`.
 *
 * @throws AutoqnnError `bad-option` when it cannot be made or written, or holds files but no artifact.
 */
export async function checkDestination(directory: string): Promise<void> {
  let made: string | undefined;
  try {
    made = await mkdir(directory, { recursive: true });
    // The permission bits do not tell: read-only file systems and full disks look writable. Writing does.
    await rm(await mkdtemp(join(directory, `${STAGING}-`)), { recursive: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AutoqnnError(
      "bad-option",
      `Expected a directory to save in that can be written, received ${directory} (${reason}).`,
      "Choose another directory, or mend its permissions.",
      { cause },
    );
  }
  const names = (await readdir(directory)).filter((name) => name !== STAGING);
  if (names.length > 0 && !(await holdsArtifact(directory))) {
    throw new AutoqnnError(
      "bad-option",
      `Expected an empty directory or an older artifact at ${directory}, received ${names.length} other files (${names.slice(0, 3).join(", ")}).`,
      "Choose a new directory.",
    );
  }
  if (made) await rm(made, { recursive: true });
}

async function holdsArtifact(directory: string): Promise<boolean> {
  try {
    return JSON.parse(await readFile(join(directory, MANIFEST), "utf8")).format === "autoqnn";
  } catch {
    return false;
  }
}

/**
 * Writes all files beside their places and moves them in only when all are complete, `model.json` last: without it there
 * is no artifact, and with an older one in its place the checksums do not match.
 */
export async function save(directory: string, { manifest, packed, floating }: Artifact): Promise<void> {
  await checkDestination(directory);
  const staging = join(directory, STAGING);
  await rm(staging, { recursive: true, force: true });
  await mkdir(staging, { recursive: true });
  const files = { [DATA.packed]: packed, [DATA.floating]: floating };
  const checksums: Checksums = Object.fromEntries(
    Object.entries(files).map(([name, bytes]) => [name, sha256(bytes)]),
  );
  const text = `${JSON.stringify({ ...manifest, checksums }, undefined, 1)}\n`;
  const all = { ...files, [MANIFEST]: new TextEncoder().encode(text) };
  for (const [name, bytes] of Object.entries(all)) {
    const file = await open(join(staging, name), "w");
    await file.writeFile(bytes);
    await file.sync();
    await file.close();
  }
  for (const name of Object.keys(all)) await rename(join(staging, name), join(directory, name));
  await rm(staging, { recursive: true });
}

/**
 * Reads an artifact that `save` wrote. Its predictions are those of the saved model, bit by bit, on the same engine, which
 * is made tfjs's current backend.
 *
 * @throws AutoqnnError `bad-file` for a file that is missing, damaged, of another size or of another format.
 * @example
 * const quantized = await load("out/");
 * quantized.summary();
 */
export async function load(directory: string): Promise<QuantizedModel> {
  const path = join(directory, MANIFEST);
  const text = new TextDecoder().decode(await read(path));
  const json = parse(path, text);
  const manifest = checkManifest(path, json);
  const artifact: Artifact = {
    manifest,
    packed: await readData(directory, DATA.packed, manifest.sizes.packed, json),
    floating: await readData(directory, DATA.floating, manifest.sizes.floating, json),
  };
  await engine();
  const graph = await rebuild(path, manifest);
  checkVariables(path, manifest, graph);
  return new QuantizedModel(artifact, graph);
}

async function read(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badFile(
      path,
      "a readable file of an artifact",
      reason,
      "Give the directory that save wrote.",
      cause,
    );
  });
}

async function readData(
  directory: string,
  name: string,
  size: number,
  json: { checksums?: unknown },
): Promise<Uint8Array> {
  const path = join(directory, name);
  const bytes = await read(path);
  if (bytes.length !== size) throw badFile(path, `${size} bytes`, `${bytes.length} bytes`, RESTORE);
  const expected = (json.checksums as Checksums | undefined)?.[name];
  const received = sha256(bytes);
  if (received !== expected) throw badFile(path, `sha256 ${expected}`, received, RESTORE);
  return bytes;
}

const RESTORE = "Copy the whole artifact again, or generate it anew.";

function parse(path: string, text: string): { format?: unknown; version?: unknown; checksums?: unknown } {
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
      `an artifact of format "autoqnn", version 1`,
      `"${message}" at ${place.join(".") || "the top"}`,
      RESTORE,
    );
  }
  const manifest = result.data;
  let bits = 0;
  for (const node of manifest.nodes) {
    const { id, kind, shape, elements, offset, thresholds, levels } = node;
    if (levels.length !== thresholds.length + 1 || thresholds.some((t, k) => t < thresholds[k - 1]!)) {
      throw badFile(path, `ascending thresholds and one level more at "${id}"`, "others", RESTORE);
    }
    if (product(shape) !== elements)
      throw badFile(path, `${product(shape)} elements at "${id}"`, `${elements}`, RESTORE);
    const start = kind === "weight" ? bits : undefined;
    if (offset !== start) throw badFile(path, `offset ${start} at "${id}"`, `${offset}`, RESTORE);
    if (kind === "weight" && levels.length > 2 ** node.bits) {
      throw badFile(path, `at most ${2 ** node.bits} levels at "${id}"`, `${levels.length}`, RESTORE);
    }
    if (kind === "weight") bits += elements * node.bits;
  }
  let values = 0;
  for (const { variable, shape, offset } of manifest.floating) {
    if (offset !== values) throw badFile(path, `offset ${values} at "${variable}"`, `${offset}`, RESTORE);
    values += product(shape);
  }
  const { packed, floating } = manifest.sizes;
  if (packed !== Math.ceil(bits / 8))
    throw badFile(path, `${Math.ceil(bits / 8)} packed bytes`, `${packed}`, RESTORE);
  if (floating !== 4 * values) throw badFile(path, `${4 * values} floating bytes`, `${floating}`, RESTORE);
  return manifest;
}

/** Every edge that may be a node is one here; the manifest says which of them have a quantizer. */
async function rebuild(path: string, { topology }: Manifest): Promise<QuantizedGraph> {
  try {
    type Config = Parameters<typeof tf.models.modelFromJSON>[0];
    const model = await tf.models.modelFromJSON({ modelTopology: topology } as unknown as Config);
    return quantizedGraph(model, { minimumRank: 0, quantizeInput: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badFile(
      path,
      "the topology of a model",
      reason,
      "Register the model's own layers before loading.",
      cause,
    );
  }
}

function checkVariables(path: string, { nodes, floating }: Manifest, graph: QuantizedGraph): void {
  const stored = new Map([
    ...nodes.filter(({ kind }) => kind === "weight").map(({ id, shape }) => [id, shape] as const),
    ...floating.map(({ variable, shape }) => [variable, shape] as const),
  ]);
  for (const { name, shape } of graph.variables) {
    const found = stored.get(name);
    if (String(found) !== String(shape)) {
      throw badFile(path, `values of shape [${shape}] for "${name}"`, found ? `[${found}]` : "none", RESTORE);
    }
  }
  const ids = new Set(graph.nodes.map(({ id }) => id));
  const stray = nodes.find(({ id }) => !ids.has(id));
  if (stray) throw badFile(path, "nodes of this topology", `"${stray.id}"`, RESTORE);
}

function badFile(
  path: string,
  expected: string,
  received: string,
  hint: string,
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

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
