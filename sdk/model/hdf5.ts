import * as tf from "@tensorflow/tfjs";
import { Dataset, File, FS, Group, ready } from "h5wasm";
import { AutoqnnError } from "../errors.js";
import { badModel } from "./badModel.js";
import type { Entry } from "./slots.js";

let opened = 0;

/** Opens an HDF5 file from memory for as long as `body` runs. */
export async function withHdf5<T>(bytes: Uint8Array, location: string, body: (root: Group) => T): Promise<T> {
  const library = await ready;
  const path = `/${opened++}.h5`;
  FS!.writeFile(path, bytes);
  library.activate_throwing_error_handler();
  let file: File | undefined;
  try {
    file = new File(path, "r");
    return body(file);
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badModel("an undamaged HDF5 file", `"${reason}"`, location, "Copy or save the file again.", cause);
  } finally {
    file?.close();
    FS!.unlink(path);
  }
}

/** The group or data set at `path` under `group`, if there is one. */
export function member(group: Group, path: string): Group | Dataset | undefined {
  let at: unknown = group;
  for (const name of path.split("/").filter(Boolean)) {
    at = at instanceof Group && at.keys().includes(name) ? at.get(name) : undefined;
  }
  return at instanceof Group || at instanceof Dataset ? at : undefined;
}

/** A list of names in an attribute, which Keras cuts into name0, name1 ... where it is long. */
export function names(group: Group, key: string): readonly string[] {
  const attributes = group.attrs;
  const keys = key in attributes ? [key] : [];
  for (let part = 0; `${key}${part}` in attributes; part++) keys.push(`${key}${part}`);
  return keys.flatMap((each) => {
    const { value } = attributes[each]!;
    return Array.isArray(value) ? value.map(String) : typeof value === "string" ? [value] : [];
  });
}

/** A data set as a tensor of a file, read at once: the file closes before the tensor is asked for. */
export function entry(dataset: Dataset, name: string, where: string): Entry {
  const { value, shape } = dataset;
  if (!ArrayBuffer.isView(value) || value instanceof BigInt64Array || value instanceof BigUint64Array) {
    const hint = "Save the model with float32 weights.";
    throw badModel(
      "numbers of at most 32 bits or float64",
      JSON.stringify(dataset.dtype),
      `${name} of ${where}`,
      hint,
    );
  }
  const values = Float32Array.from(value as Float32Array);
  return { name, shape: shape ?? [], tensor: () => tf.tensor(values, shape ?? []) };
}
