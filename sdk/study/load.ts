import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { AutoqnnError } from "../errors.js";
import type { Study } from "./study.js";

/**
 * The study that a file exports by default.
 *
 * A file in TypeScript runs as it is where Node strips types or a loader is in place, and otherwise by `tsx`, which is looked
 * for from the file.
 *
 * @throws AutoqnnError `bad-file` where there is no such file, it cannot be run, or it exports something else.
 */
export async function loadStudy(path: string): Promise<Study<unknown>> {
  const { default: found } = await run(path);
  if (typeof found === "object" && found !== null && "design" in found) return found as Study<unknown>;
  throw new AutoqnnError(
    "bad-file",
    `Expected ${path} to export a study by default, received ${found === undefined ? "no default export" : typeof found}.`,
    "Write: export default study(plan).over({ ... }).",
  );
}

async function run(path: string): Promise<{ readonly default?: unknown }> {
  const file = resolve(path);
  const { href } = pathToFileURL(file);
  try {
    return await import(href).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_UNKNOWN_FILE_EXTENSION") throw error;
      await registerTsx(file);
      return import(href);
    });
  } catch (cause) {
    if (cause instanceof AutoqnnError) throw cause;
    throw new AutoqnnError(
      "bad-file",
      `Expected a study in ${path}, received ${(cause as Error).message}`,
      'It is run as an ES module: name it .mts or .mjs, or set "type": "module" in the package.json beside it.',
      { cause },
    );
  }
}

async function registerTsx(file: string): Promise<void> {
  const places = [file, import.meta.url].map((from) => () => createRequire(from).resolve("tsx/esm/api"));
  for (const place of places) {
    let found: string;
    try {
      found = place();
    } catch {
      continue;
    }
    const { register } = await import(pathToFileURL(found).href);
    register();
    return;
  }
  throw new AutoqnnError(
    "bad-file",
    `Expected something that runs TypeScript for ${file}, received Node ${process.versions.node} without it.`,
    "Run npm install tsx beside the file, or take Node 22.18 or later, or JavaScript.",
  );
}
