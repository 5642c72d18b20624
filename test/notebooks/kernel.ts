import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../sdk/engine/native/place.mjs";
import { reason } from "../../sdk/engine/native/setup/trouble.mjs";
import { jupyterPython } from "./environment.mjs";

const found = process.env.AUTOQNN_NO_JUPYTER
  ? new Error(process.env.AUTOQNN_NO_JUPYTER)
  : await jupyterPython(console.log).catch((error: unknown) => new Error(reason(error)));
if (found instanceof Error && process.env.CI) throw found;

/** Why there is no Jupyter, or nothing. Where no test may be skipped (CI), that is an error instead. */
export const missing = found instanceof Error ? found.message : "";

/** The Python that has it. */
export const python = String(found);

/** Installs the kernel of this checkout, as it is built, into a folder of its own; returns the folder and the environment by which Jupyter finds it. */
export function installed(): { folder: string; env: NodeJS.ProcessEnv } {
  const folder = mkdtempSync(join(tmpdir(), "autoqnn-jupyter-"));
  const command = join(root, "dist", "sdk", "cli", "main.js");
  execFileSync(process.execPath, [command, "kernel", "install", "--prefix", folder], { stdio: "pipe" });
  const env = {
    ...process.env,
    JUPYTER_PATH: join(folder, "share", "jupyter"),
    // Nothing of the user's own settings takes part, and nothing is left among them.
    JUPYTER_CONFIG_DIR: join(folder, "config"),
    JUPYTER_DATA_DIR: join(folder, "data"),
    JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
    IPYTHONDIR: join(folder, "ipython"),
  };
  return { folder, env };
}
