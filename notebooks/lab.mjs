// @ts-check
// `npm run lab`: JupyterLab with the kernel, in a Python environment of this project, open on the notebooks. Arguments go on
// to JupyterLab: npm run lab -- --no-browser --port 8889
import { spawn, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../sdk/engine/native/place.mjs";
import { Trouble } from "../sdk/engine/native/setup/trouble.mjs";
import { jupyterPython } from "./environment.mjs";

/** @param {string} line */
const say = (line) => console.log(`lab: ${line}`);

async function main() {
  const python = await jupyterPython(say, join(root, ".jupyter"));
  const prefix = dirname(dirname(python));
  const installed = spawnSync(
    process.execPath,
    [join(root, "dist", "sdk", "cli", "main.js"), "kernel", "install", "--prefix", prefix],
    { encoding: "utf8" },
  );
  if (installed.status !== 0)
    throw new Trouble(`The kernel could not be installed: ${installed.stderr.trim()}`, "npm run setup");
  const lab = spawn(
    python,
    ["-m", "jupyterlab", ...asRoot(), ...process.argv.slice(2), dirname(fileURLToPath(import.meta.url))],
    { stdio: "inherit" },
  );
  // The terminal interrupts both; JupyterLab asks, or shuts its kernels down, and ends by itself.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => lab.kill("SIGTERM"));
  lab.on("exit", (code) => {
    process.exitCode = code ?? 1;
  });
}

/** Jupyter refuses to run as root unless told, which containers do. */
function asRoot() {
  return process.getuid?.() === 0 ? ["--allow-root"] : [];
}

main().catch((error) => {
  console.error(`lab: ${error instanceof Error ? error.message : error}`);
  if (error instanceof Trouble) console.error(`     ${error.mend}`);
  process.exitCode = 1;
});
