import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { installKernel } from "../../sdk/kernel/index.js";
import { jupyterPython } from "../notebooks/environment.mjs";

let python: string;
let prefix: string;

beforeAll(async () => {
  python = await jupyterPython(console.log);
  prefix = await mkdtemp(join(tmpdir(), "autoqnn-jupyter-"));
  await installKernel({ prefix });
}, 600_000);
afterAll(() => rm(prefix, { recursive: true, force: true }));

it("passes Jupyter's own tests of kernels", async () => {
  const { code, output } = await run(python, [
    fileURLToPath(new URL("jupyter_kernel_tests.py", import.meta.url)),
    "-v",
  ]);
  expect(output).toMatch(/Ran \d+ tests/);
  // The one test without a sample of ours asks for a pager.
  const skipped = output.split("\n").filter((line) => line.includes("... skipped"));
  expect(skipped.map((line) => line.split(" ")[0])).toEqual(["test_pager"]);
  expect(code, output).toBe(0);
}, 300_000);

function run(command: string, args: readonly string[]): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env, JUPYTER_PATH: join(prefix, "share", "jupyter") };
  const child = spawn(command, args, { env, cwd: prefix });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, output })));
}
