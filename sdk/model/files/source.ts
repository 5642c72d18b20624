import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoqnnError } from "../../errors.js";
import { badModel } from "../badModel.js";
import { type Bytes, inMemory, onDisk } from "./bytes.js";

/** A file, on disk or behind a URL, and the files beside it. */
export interface Source {
  readonly location: string;
  /** The whole file. */
  read(): Promise<Uint8Array>;
  /** The file for reading here and there. One behind a URL comes as a whole. */
  open(): Promise<Bytes>;
  /**
   * The file that a model calls `name`, in its own directory or below.
   *
   * @throws AutoqnnError `bad-model` for a name that leads elsewhere: a file says where its weights are, not what else of
   * this machine or network to read.
   */
  beside(name: string): Source;
}

/** What a directory stands for: the first of these that it holds. */
const MAIN_FILES = { "model.json": "a tfjs model", "saved_model.pb": "a SavedModel" };

/**
 * The file at `location`: a path, or a URL of scheme file, http or https. A directory stands for its `model.json` or
 * `saved_model.pb`.
 *
 * @throws AutoqnnError `bad-file` for a directory with neither or both; from `read` and `open` when the file cannot be read.
 */
export async function source(location: string): Promise<Source> {
  if (/^https?:/i.test(location)) return remote(location);
  const path = /^file:/i.test(location) ? fileURLToPath(location) : resolve(location);
  if (!(await exists(path, "directory"))) return local(path);
  const names = Object.keys(MAIN_FILES);
  const there = await Promise.all(names.map((name) => exists(join(path, name), "file")));
  const found = names.filter((_, i) => there[i]);
  if (found.length === 1) return local(join(path, found[0]!));
  const either = Object.entries(MAIN_FILES).map(([name, kind]) => `${name} of ${kind}`);
  throw new AutoqnnError(
    "bad-file",
    `Expected a directory with ${either.join(" or ")}, received ${found.join(" and ") || "neither"} at ${path}.`,
    found.length > 1 ? "Give the path of one of them." : "Give the path of the model's file.",
  );
}

function exists(path: string, kind: "directory" | "file"): Promise<boolean> {
  return stat(path).then(
    (entry) => (kind === "directory" ? entry.isDirectory() : !entry.isDirectory()),
    () => false,
  );
}

function local(path: string): Source {
  const readable = <T>(work: Promise<T>): Promise<T> =>
    work.catch((cause: unknown) => Promise.reject(unreadable(path, cause)));
  return {
    location: path,
    read: () => readable(readFile(path)),
    open: () => readable((async () => onDisk(path))()),
    beside: (name) => {
      const directory = dirname(path);
      const other = resolve(directory, name);
      const within = directory.endsWith(sep) ? directory : `${directory}${sep}`;
      if (!other.startsWith(within) || /^[a-z]+:\/\//i.test(name)) throw elsewhere(name, path);
      return local(other);
    },
  };
}

function remote(url: string): Source {
  const read = async (): Promise<Uint8Array> => {
    const response = await fetch(url).catch((cause: unknown) => Promise.reject(unreadable(url, cause)));
    if (!response.ok) throw unreadable(url, new Error(`status ${response.status}`));
    return new Uint8Array(await response.arrayBuffer());
  };
  return {
    location: url,
    read,
    open: async () => inMemory(await read()),
    beside: (name) => {
      const other = URL.canParse(name, url) ? new URL(name, url).href : "";
      if (!other.startsWith(new URL(".", url).href)) throw elsewhere(name, url);
      return remote(other);
    },
  };
}

function elsewhere(name: string, location: string): AutoqnnError {
  const hint =
    "Put the files of a model into one directory, and name them in it relative to the model's file.";
  return badModel("files in the directory of the model or below", JSON.stringify(name), location, hint);
}

function unreadable(location: string, cause: unknown): AutoqnnError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AutoqnnError(
    "bad-file",
    `Expected a readable model file, received "${reason}" at ${location}.`,
    "Give the path or URL of a model.json, .h5 or .keras file, or of the directory of a SavedModel.",
    { cause },
  );
}
