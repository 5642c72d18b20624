import * as tf from "@tensorflow/tfjs";
import { Dataset, File, FS, Group, ready } from "h5wasm";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import type { Bytes } from "./bytes.js";
import { decode, isNumberName, isWhole, type NumberName } from "./numbers.js";
import type { Entry } from "./slots.js";

type Library = Awaited<typeof ready>;

let opened = 0;

/** An open HDF5 file. Paths go from its root: "model_weights/conv/conv/kernel:0". Links out of the file lead nowhere. */
export interface Hdf5 {
  /** The group or data set at `path`, if there is one. */
  at(path: string): Group | Dataset | undefined;
  /** The data set at `path` as a tensor of a file, read when the tensor is asked for, while the file is open. */
  entry(path: string, name?: string): Entry | undefined;
  /** All paths that links of the file itself lead to, each object once. */
  paths(): readonly string[];
  /** How many numbers its data sets hold. */
  elements(): number;
}

/**
 * Opens an HDF5 file for as long as `body` runs. The library reads what it asks for from `bytes` and sees no other file.
 *
 * @throws AutoqnnError `bad-model` for a file that the library cannot read.
 */
export async function withHdf5<T>(bytes: Bytes, location: string, body: (file: Hdf5) => T): Promise<T> {
  const library = await ready;
  const path = `/${opened++}.h5`;
  const failure = mount(path, bytes);
  library.activate_throwing_error_handler();
  let file: File | undefined;
  try {
    file = new File(path, "r");
    return body(contents(file, library, location));
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    const reason = failure() ?? cause;
    const text = described(reason instanceof Error ? reason.message : String(reason));
    throw badModel("an undamaged HDF5 file", `"${text}"`, location, "Copy or save the file again.", cause);
  } finally {
    file?.close();
    FS!.unlink(path);
  }
}

/** The library dumps its whole stack of errors, of which the first says what was tried. */
function described(message: string): string {
  return /\(\): (.+)/.exec(message)?.[1] ?? message;
}

/** The parts of a file node of Emscripten's file system in memory that serve its content. */
interface Node {
  stream_ops: object;
}

/** Puts `bytes` into the library's file system without copying them; returns what finds out why reading failed. */
function mount(path: string, bytes: Bytes): () => unknown {
  let failure: unknown;
  FS!.writeFile(path, new Uint8Array(0));
  const node = FS!.lookupPath(path, {}).node as unknown as Node;
  Object.defineProperty(node, "usedBytes", { get: () => bytes.size });
  const read = (_: unknown, memory: Int8Array, at: number, length: number, position: number): number => {
    const count = Math.max(0, Math.min(length, bytes.size - position));
    try {
      bytes.into(new Uint8Array(memory.buffer, memory.byteOffset + at, count), position);
    } catch (error) {
      failure = error;
      throw new (FS as unknown as { ErrnoError: new (code: number) => unknown }).ErrnoError(EIO);
    }
    return count;
  };
  node.stream_ops = { ...node.stream_ops, read };
  return () => failure;
}

/** WASI's number of an error of input or output. */
const EIO = 29;

function contents(file: File, library: Library, location: string): Hdf5 {
  const children = new Map<string, ReadonlySet<string>>();
  const childrenOf = (group: Group): ReadonlySet<string> => {
    const known = children.get(group.path) ?? new Set(group.keys());
    children.set(group.path, known);
    return known;
  };
  const at = (path: string): Group | Dataset | undefined => {
    let here: unknown = file;
    for (const name of path.split("/").filter(Boolean)) {
      here = here instanceof Group && childrenOf(here).has(name) ? here.get(name) : undefined;
    }
    return here instanceof Group || here instanceof Dataset ? here : undefined;
  };
  const entry = (path: string, name = path): Entry | undefined => {
    const dataset = at(path);
    return dataset instanceof Dataset ? entryOf(file, dataset, name, library, location) : undefined;
  };
  const elements = (): number =>
    file.paths().reduce((sum, path) => {
      const object = file.get(path);
      const shape = object instanceof Dataset ? (object.metadata.shape ?? []) : [0];
      return sum + shape.reduce((product, size) => product * size, 1);
    }, 0);
  return { at, entry, paths: () => file.paths(), elements };
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

function entryOf(file: File, dataset: Dataset, name: string, library: Library, location: string): Entry {
  const { metadata } = dataset;
  const where = `${name} of ${location}`;
  const shape = metadata.shape ?? [];
  const dtype = numbersOf(metadata, library);
  if (dtype === undefined) {
    const received = JSON.stringify(dataset.dtype);
    throw badModel("little-endian numbers", received, where, "Save the model with float32 weights.");
  }
  const tensor = (): tf.Tensor => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = isWhole(dtype) ? new Int32Array(size) : new Float32Array(size);
    for (const { from, count } of slabs(shape, metadata.size)) {
      const start = from * (size / (shape[0] ?? 1));
      const bytes = raw(file, dataset, { from, count }, library);
      try {
        decode(bytes, dtype, values, start);
      } catch (cause) {
        const hint = "Save the model with float32 weights.";
        throw badModel("numbers of at most 32 bits", String(cause), where, hint, cause);
      }
    }
    return tf.tensor(values, [...shape], isWhole(dtype) ? "int32" : "float32");
  };
  return { name, shape, dtype, tensor };
}

type Metadata = Dataset["metadata"];

/** HDF5's classes of types, by number, that Keras's numbers have. NumPy keeps bfloat16 as two opaque bytes, bool as an enumeration. */
function numbersOf(metadata: Metadata, { H5T_class_t: kinds }: Library): NumberName | undefined {
  const { type, size, signed, littleEndian } = metadata;
  const bits = 8 * size;
  const name = {
    [kinds.H5T_INTEGER.value]: `${signed ? "int" : "uint"}${bits}`,
    [kinds.H5T_FLOAT.value]: `float${bits}`,
    [kinds.H5T_ENUM.value]: size === 1 ? "bool" : "",
    [kinds.H5T_OPAQUE.value]: size === 2 ? "bfloat16" : "",
  }[type];
  const ordered = littleEndian || size === 1 || type === kinds.H5T_OPAQUE.value;
  return name !== undefined && isNumberName(name) && ordered ? name : undefined;
}

/** What is read at once, in bytes, unless one step along the first axis is more. */
const AT_ONCE = 2 ** 22;

interface Slab {
  readonly from: number;
  readonly count: number;
}

/** A data set cut along its first axis, so that the library's memory, which never shrinks, stays small. */
function slabs(shape: readonly number[], width: number): readonly Slab[] {
  const [length = 1, ...rest] = shape;
  const step = Math.max(1, Math.floor(AT_ONCE / (width * rest.reduce((a, b) => a * b, 1) || 1)));
  const count = rest.includes(0) ? 0 : Math.ceil(length / step);
  return Array.from({ length: count }, (_, i) => ({
    from: i * step,
    count: Math.min(step, length - i * step),
  }));
}

/** The bytes of a slab. The library's own reading of values knows no float16. */
function raw(file: File, dataset: Dataset, slab: Slab, library: Library): Uint8Array {
  const { size, shape } = dataset.metadata;
  const rest = (shape ?? []).slice(1);
  const length = rest.reduce((a, b) => a * b, size * slab.count);
  const pointer = library._malloc(length);
  if (pointer === 0) throw new Error(`no memory for ${length} bytes`);
  try {
    const counts = shape?.length ? [slab.count, ...rest].map(BigInt) : null;
    const offsets = shape?.length ? [slab.from, ...rest.map(() => 0)].map(BigInt) : null;
    const strides = counts?.map(() => 1n) ?? null;
    library.get_dataset_data(file.file_id, dataset.path, counts, offsets, strides, BigInt(pointer));
    return library.HEAPU8.slice(pointer, pointer + length);
  } finally {
    library._free(pointer);
  }
}
