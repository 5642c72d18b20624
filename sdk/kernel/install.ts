import { access, constants, mkdir, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AutoqnnError } from "../errors.js";
import { LOGO } from "./logo.js";

/** The folder's name of the kernel, by which `jupyter` commands know it. */
const NAME = "autoqnn";

/** Where a kernel is installed: for this user, or below a prefix such as that of a Python environment. */
export type Place = { readonly prefix?: string };

/**
 * Tells Jupyter of the kernel: a folder with `kernel.json`, which names this Node and this package by absolute paths, so that it is
 * found whatever the PATH of the program that starts it. Needs no Jupyter. Returns the folder.
 *
 * Throws AutoqnnError `bad-option` where Node is too old, `bad-file` where the folder cannot be written.
 *
 * @example
 * await installKernel({ prefix: "/path/of/a/python/environment" });
 */
export async function installKernel(place: Place = {}): Promise<string> {
  checkNode();
  const folder = kernelFolder(place);
  const spec = {
    argv: [process.execPath, ...loaders(), PROGRAM, "--connection-file", "{connection_file}"],
    display_name: "TypeScript (AutoQNN)",
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: false },
  };
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "kernel.json"), `${JSON.stringify(spec, null, 2)}\n`);
    await writeFile(join(folder, "logo-svg.svg"), LOGO);
  } catch (cause) {
    throw new AutoqnnError(
      "bad-file",
      `Expected a folder that can be written at "${folder}", but could not write there.`,
      "Choose another one with --prefix.",
      { cause },
    );
  }
  return folder;
}

/** Takes the kernel out of Jupyter's list. Returns the folder that was removed, undefined where there was none. */
export async function uninstallKernel(place: Place = {}): Promise<string | undefined> {
  const folder = kernelFolder(place);
  try {
    await access(join(folder, "kernel.json"), constants.F_OK);
  } catch {
    return undefined;
  }
  await rm(folder, { recursive: true });
  return folder;
}

/** What Jupyter starts: built, or the source. */
const PROGRAM = fileURLToPath(
  new URL(`./main${import.meta.url.slice(import.meta.url.lastIndexOf("."))}`, import.meta.url),
);

/** What Node needs for reading the source where the package is not built. */
const loaders = (): string[] => (PROGRAM.endsWith(".ts") ? ["--import", import.meta.resolve("tsx")] : []);

/** Jupyter's folders for data: https://docs.jupyter.org/en/latest/use/jupyter-directories.html */
function kernelFolder({ prefix }: Place): string {
  if (prefix !== undefined) return join(prefix, "share", "jupyter", "kernels", NAME);
  const { env, platform } = process;
  const data =
    env.JUPYTER_DATA_DIR ??
    (platform === "darwin"
      ? join(homedir(), "Library", "Jupyter")
      : platform === "win32"
        ? join(env.APPDATA ?? join(homedir(), "AppData", "Roaming"), "jupyter")
        : join(env.XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "jupyter"));
  return join(data, "kernels", NAME);
}

/** Cells import by a means that came with Node 20.12. */
function checkNode(): void {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 12)) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected Node 20.12 or later for the kernel, received ${process.versions.node}.`,
    "Install a later Node, then run the command again with it.",
  );
}
