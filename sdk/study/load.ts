import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { AutoqnnError } from "../errors.js";
import type { Study } from "./study.js";

/**
 * The study that a file exports by default.
 *
 * A file in TypeScript runs as it is where Node strips types or a loader is in place, and otherwise by `tsx`.
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
  const { href } = pathToFileURL(resolve(path));
  try {
    return await import(href).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ERR_UNKNOWN_FILE_EXTENSION") throw error;
      (await import("tsx/esm/api")).register();
      // Node remembers that it could not load the first URL.
      return import(`${href}?typescript`);
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
