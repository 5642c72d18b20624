// @ts-check
// `npm run lab`: JupyterLab with the kernel, in a Python environment of this project, open on the notebooks. Arguments go on
// to JupyterLab: npm run lab -- --no-browser --port 8889
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../sdk/engine/native/place.mjs";
import { Trouble } from "../sdk/engine/native/setup/trouble.mjs";
import { jupyterPython } from "./environment.mjs";

/** @param {string} line */
const say = (line) => console.log(`lab: ${line}`);

async function main() {
  const place = join(root, ".jupyter");
  mkdirSync(place, { recursive: true });
  // JupyterLab's own scripts are CommonJS, and would else be taken for modules, as this package's are.
  writeFileSync(join(place, "package.json"), '{ "type": "commonjs" }\n');
  const python = await jupyterPython(say, place);
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
    [
      ...["-m", "jupyterlab", "--MultiKernelManager.default_kernel_name=autoqnn", ...asRoot()],
      ...[...process.argv.slice(2), dirname(fileURLToPath(import.meta.url))],
    ],
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
