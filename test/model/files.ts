import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { unzipSync } from "fflate";
import { File, FS, type Group, ready } from "h5wasm";
import { onTestFinished } from "vitest";

/** A directory with these files, gone after the test. */
export function directory(files: Readonly<Record<string, Uint8Array | string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), "autoqnn-model-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

/** The path of a file with this content. */
export function file(name: string, content: Uint8Array | string): string {
  return join(directory({ [name]: content }), name);
}

/** A file of fixtures/, unpacked. */
export function fixture(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(`fixtures/${name}.gz`, import.meta.url)));
}

/** A directory with the files of a zip of fixtures/, gone after the test. */
export function unpacked(name: string): string {
  const path = directory();
  const zip = readFileSync(new URL(`fixtures/${name}.zip`, import.meta.url));
  for (const [file, content] of Object.entries(unzipSync(zip))) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), content);
  }
  return path;
}

/** An HDF5 file, written by `fill`. */
export async function hdf5(fill: (root: Group) => void): Promise<Uint8Array> {
  await ready;
  const file = new File("/made.h5", "w");
  fill(file);
  file.close();
  const bytes = FS!.readFile("/made.h5");
  FS!.unlink("/made.h5");
  return bytes as Uint8Array;
}

export interface Tensor {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

/** A whole model as Keras writes it to .h5: weights by layer, names in attributes. */
export function kerasH5(
  config: unknown,
  layers: Readonly<Record<string, Readonly<Record<string, Tensor>>>>,
): Promise<Uint8Array> {
  return hdf5((root) => {
    root.create_attribute("model_config", JSON.stringify(config));
    root.create_attribute("keras_version", "2.15.0");
    const weights = root.create_group("model_weights");
    weights.create_attribute("layer_names", Object.keys(layers));
    for (const [layer, tensors] of Object.entries(layers)) {
      const group = weights.create_group(layer);
      group.create_attribute("weight_names", Object.keys(tensors));
      for (const [name, { shape, values }] of Object.entries(tensors)) put(group, name, shape, values);
    }
  });
}

/** A data set at `path`, its groups made where they are missing. */
export function put(group: Group, path: string, shape: readonly number[], values: readonly number[]): void {
  const [name, ...rest] = path.split("/") as [string, ...string[]];
  if (rest.length === 0) {
    group.create_dataset({ name, data: Float32Array.from(values), shape: [...shape], dtype: "<f4" });
    return;
  }
  const inner = group.keys().includes(name) ? (group.get(name) as Group) : group.create_group(name);
  put(inner, rest.join("/"), shape, values);
}
