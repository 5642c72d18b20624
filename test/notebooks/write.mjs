// @ts-check
// `npm run notebooks [-- FILE ...]`: runs notebooks and writes their outputs anew.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { root } from "../../sdk/engine/native/place.mjs";
import { jupyterPython } from "./environment.mjs";

const folder = join(root, "notebooks");
const given = process.argv.slice(2);
const files = readdirSync(folder).filter((file) => file.endsWith(".ipynb"));
const notebooks = given.length > 0 ? given : files.map((file) => join(folder, file));
const python = await jupyterPython(console.log);
const prefix = mkdtempSync(join(tmpdir(), "autoqnn-jupyter-"));
const kernel = [join(root, "dist", "sdk", "cli", "main.js"), "kernel", "install", "--prefix", prefix];
const run = [fileURLToPath(new URL("run.py", import.meta.url)), "--write", ...notebooks];
const env = { ...process.env, JUPYTER_PATH: join(prefix, "share", "jupyter") };
try {
  const installed = spawnSync(process.execPath, kernel, { stdio: ["ignore", "ignore", "inherit"] });
  process.exitCode = installed.status || (spawnSync(python, run, { env, stdio: "inherit" }).status ?? 1);
} finally {
  rmSync(prefix, { recursive: true });
}
