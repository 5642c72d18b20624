import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { AutoqnnError } from "../errors.js";
import { type Artifact, FILES } from "./artifact.js";

/** Where files lie until all of them are complete; a leftover of a killed run is removed by the next. */
const STAGING = ".autoqnn-partial";

/**
 * Makes sure, before any work is done, that an artifact can be saved in `directory`.
 *
 * @throws AutoqnnError `bad-option` when it cannot be made or written, or holds files but no artifact.
 */
export async function checkDestination(directory: string): Promise<void> {
  let made: string | undefined;
  try {
    made = await make(resolve(directory));
    // The permission bits do not tell: read-only file systems and full disks look writable. Writing does.
    await rm(await mkdtemp(join(directory, `${STAGING}-`)), { recursive: true });
  } catch (cause) {
    throw unwritable(directory, cause);
  }
  const names = (await readdir(directory)).filter((name) => !name.startsWith(STAGING));
  if (names.length > 0 && !(await holdsArtifact(directory))) {
    throw new AutoqnnError(
      "bad-option",
      `Expected an empty directory or an older artifact at ${directory}, received ${names.length} other files (${names.slice(0, 3).join(", ")}).`,
      "Choose a new directory.",
    );
  }
  if (made) await rm(made, { recursive: true });
}

/**
 * Makes `directory` and those above it that are missing; returns the uppermost it made. (Node's own recursive mkdir never
 * comes back where a file system lists a directory but lets nothing be made in it, such as /proc.)
 */
async function make(directory: string): Promise<string | undefined> {
  const refused = await mkdir(directory).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
  if (!refused) return directory;
  if (refused.code === "EEXIST") return undefined;
  if (refused.code !== "ENOENT" || dirname(directory) === directory) throw refused;
  const first = await make(dirname(directory));
  await mkdir(directory);
  return first ?? directory;
}

async function holdsArtifact(directory: string): Promise<boolean> {
  try {
    return JSON.parse(await readFile(join(directory, FILES.manifest), "utf8")).format === "autoqnn";
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
  const files = {
    [FILES.packed]: packed,
    [FILES.floating]: floating,
    [FILES.manifest]: new TextEncoder().encode(`${JSON.stringify(manifest, undefined, 1)}\n`),
  };
  try {
    await rm(staging, { recursive: true, force: true });
    await make(resolve(staging));
    for (const [name, bytes] of Object.entries(files)) {
      const file = await open(join(staging, name), "w");
      await file.writeFile(bytes);
      await file.sync();
      await file.close();
    }
    for (const name of Object.keys(files)) await rename(join(staging, name), join(directory, name));
    await rm(staging, { recursive: true });
  } catch (cause) {
    throw unwritable(directory, cause);
  }
}

function unwritable(directory: string, cause: unknown): AutoqnnError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new AutoqnnError(
    "bad-option",
    `Expected a directory to save in that can be written, received ${directory} (${reason}).`,
    "Choose another directory, or mend its permissions or make room.",
    { cause },
  );
}
