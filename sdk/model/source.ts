import { readFile, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoqnnError } from "../errors.js";

/** A file, on disk or behind a URL, and the files beside it. */
export interface Source {
  readonly location: string;
  read(): Promise<Uint8Array>;
  beside(name: string): Source;
}

/**
 * The file at `location`: a path, or a URL of scheme file, http or https. A directory stands for its `model.json`.
 *
 * @throws AutoqnnError `bad-file` from `read` when the file cannot be read.
 */
export async function source(location: string): Promise<Source> {
  if (/^https?:/i.test(location)) return remote(location);
  const path = /^file:/i.test(location) ? fileURLToPath(location) : resolve(location);
  const directory = await stat(path).then(
    (entry) => entry.isDirectory(),
    () => false,
  );
  return local(directory ? join(path, "model.json") : path);
}

function local(path: string): Source {
  return {
    location: path,
    read: () => readFile(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause))),
    beside: (name) => local(resolve(dirname(path), name)),
  };
}

function remote(url: string): Source {
  return {
    location: url,
    read: async () => {
      const response = await fetch(url).catch((cause: unknown) => Promise.reject(unreadable(url, cause)));
      if (!response.ok) throw unreadable(url, new Error(`status ${response.status}`));
      return new Uint8Array(await response.arrayBuffer());
    },
    beside: (name) => remote(new URL(name, url).href),
  };
}

function unreadable(location: string, cause: unknown): AutoqnnError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AutoqnnError(
    "bad-file",
    `Expected a readable model file, received "${reason}" at ${location}.`,
    "Give the path or URL of a model.json, .h5 or .keras file.",
    { cause },
  );
}
