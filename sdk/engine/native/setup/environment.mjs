// @ts-check
// Python environments beside the native engine, for what is held against others' programs: the bench and the tests.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { place } from "../place.mjs";
import { checkSpace } from "./library.mjs";
import { withLock } from "./lock.mjs";
import { reason, Trouble } from "./trouble.mjs";

/**
 * @typedef {object} Environment
 * @property {string} name its folder in the cache, below which there is one environment per set of pins
 * @property {string} requirements the file of pins: every package, since none brings its own
 * @property {string} imports what must be importable in the end
 * @property {number} bytes the disk space that making it takes
 * @property {string} [parent] the folder it lies in; the user's cache if not given
 * @property {(folder: string) => void} [trim] takes away what is not needed, before the imports are tried
 */

/**
 * The Python of an environment, which is made first where it is not there yet, under a name that follows from its pins. It
 * takes its place whole or not at all.
 *
 * @param {Environment} environment
 * @param {(line: string) => void} say
 * @returns {Promise<string>}
 * @throws {Trouble} in a sentence why it cannot be made
 */
export async function pythonOf({ name, requirements, imports, bytes, parent, trim }, say) {
  const base = basePython();
  const pins = readFileSync(requirements);
  const key = createHash("sha256").update(pins).update(base.version).digest("hex").slice(0, 16);
  const folder = join(parent ?? dirname(place("cpu").folder), `${name}-${key}`);
  const python = join(folder, "bin", "python");
  if (existsSync(python)) return python;
  const around = dirname(folder);
  mkdirSync(around, { recursive: true });
  await withLock(join(around, `${basename(name)}.lock`), say, async () => {
    if (existsSync(python)) return;
    checkSpace(around, bytes);
    say(`making the ${basename(name)} environment in ${folder} (minutes, once)`);
    const partial = `${folder}.partial`;
    const inside = join(partial, "bin", "python");
    rmSync(partial, { recursive: true, force: true });
    run(base.command, ["-m", "venv", partial]);
    // What is needed is pinned whole: the packages' own lists would add gigabytes that only a GPU needs.
    run(inside, [
      ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "2"],
      ...["--no-deps", "--requirement", requirements],
    ]);
    trim?.(partial);
    run(inside, ["-c", `import ${imports}`]);
    renameSync(partial, folder);
  });
  return python;
}

/** @returns {{ command: string, version: string }} */
function basePython() {
  for (const command of ["python3", "python"]) {
    const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
    if (status === 0) return { command, version: stdout.trim() };
  }
  throw new Trouble("Python 3 is needed, and was not found.", "apt-get install python3-venv");
}

/**
 * @param {string} command
 * @param {readonly string[]} given
 */
function run(command, given) {
  const { status, stderr, error } = spawnSync(command, given, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (status === 0) return;
  throw new Trouble(
    `${[command, ...given.slice(0, 3)].join(" ")} failed: ${reason(error ?? stderr)}.`,
    `${[command, ...given].join(" ")}   (see what it says)`,
  );
}
