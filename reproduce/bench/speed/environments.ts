import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { place } from "../../../sdk/engine/native/place.mjs";
import { checkSpace } from "../../../sdk/engine/native/setup/library.mjs";
import { withLock } from "../../../sdk/engine/native/setup/lock.mjs";
import { reason, Trouble } from "../../../sdk/engine/native/setup/trouble.mjs";

/** The peers' Python environments: what is pinned, what must be importable in the end, and the disk space that takes. */
const ENVIRONMENTS = {
  tensorflow: { requirements: "requirements-tensorflow.txt", imports: "tensorflow, tf_keras", bytes: 3e9 },
  pytorch: { requirements: "requirements-pytorch.txt", imports: "torch, brevitas.nn", bytes: 9e9 },
} as const;

export type EnvironmentName = keyof typeof ENVIRONMENTS;

const here = dirname(fileURLToPath(import.meta.url));

/**
 * The Python of an environment, which is made first where it is not there yet: in the user's cache, beside the native
 * engine, under a name that follows from its pins. It takes its place whole or not at all.
 *
 * Throws Trouble that says in a sentence why it cannot be made.
 */
export async function pythonOf(name: EnvironmentName, say: (line: string) => void): Promise<string> {
  const { requirements, imports, bytes } = ENVIRONMENTS[name];
  const pins = join(here, requirements);
  const base = basePython();
  const key = createHash("sha256").update(readFileSync(pins)).update(base.version).digest("hex").slice(0, 16);
  const parent = join(dirname(place("cpu").folder), "bench");
  const folder = join(parent, `${name}-${key}`);
  const python = join(folder, "bin", "python");
  if (existsSync(python)) return python;
  mkdirSync(parent, { recursive: true });
  await withLock(join(parent, `${name}.lock`), say, async () => {
    if (existsSync(python)) return;
    checkSpace(parent, bytes);
    say(`making the ${name} environment in ${folder} (minutes, once)`);
    const partial = `${folder}.partial`;
    const inside = join(partial, "bin", "python");
    rmSync(partial, { recursive: true, force: true });
    run(base.command, ["-m", "venv", partial]);
    // What is needed is pinned whole: the packages' own lists would add gigabytes that only a GPU needs.
    run(inside, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r", pins]);
    run(inside, ["-c", `import ${imports}`]);
    renameSync(partial, folder);
  });
  return python;
}

function basePython(): { command: string; version: string } {
  for (const command of ["python3", "python"]) {
    const { status, stdout } = spawnSync(command, ["--version"], { encoding: "utf8" });
    if (status === 0) return { command, version: stdout.trim() };
  }
  throw new Trouble("Python 3 is needed for the peers, and was not found.", "apt-get install python3-venv");
}

function run(command: string, given: readonly string[]): void {
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
