// @ts-check
// All tests: code style and types, then the suites of vitest, in one run. Ends with one line of counts; the exit code is 1 if
// anything failed. With arguments, only the groups of these names: node test/run.mjs unit
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { groups } from "./groups.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);

/** Checks that are commands; each counts as one test of the group "smoke". */
const commands = [
  { name: "code style", tool: tool("@biomejs/biome", "biome"), args: ["check", "."] },
  { name: "types", tool: tool("typescript", "tsc"), args: ["-p", "tsconfig.json"] },
];

/**
 * The script of a package's command, run by this Node: npm may have linked none.
 * @param {string} name
 * @param {string} command
 */
function tool(name, command) {
  const manifest = require.resolve(`${name}/package.json`);
  const { bin } = JSON.parse(readFileSync(manifest, "utf8"));
  return join(dirname(manifest), typeof bin === "string" ? bin : bin[command]);
}

/**
 * Runs a script to its end.
 *
 * @param {string} script
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, quiet?: boolean }} [options] quiet: what it says on stderr is given, not shown
 * @returns {Promise<{ status: number | null, error: string }>}
 */
async function run(script, args, { env = {}, quiet = false } = {}) {
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", quiet ? "pipe" : "inherit"],
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const error = child.stderr ? await text(child.stderr) : "";
  return { status: await ended, error };
}

/**
 * Makes a Python environment. Suites that need it are told why where that fails, by a variable.
 *
 * @param {"keras" | "jupyter"} name
 * @returns {Promise<Record<string, string>>}
 */
async function prepare(name) {
  const { status, error } = await run(join(root, "test", "python.mjs"), [name], { quiet: true });
  if (status === 0) return {};
  console.log(`Without the Python environment ${name}: ${error}`);
  return { [`AUTOQNN_NO_${name.toUpperCase()}`]: error };
}

/**
 * @param {readonly string[]} names of groups
 * @param {Record<string, string>} env
 * @returns {Promise<Counts>}
 */
async function runSuites(names, env) {
  const scratch = mkdtempSync(join(tmpdir(), "autoqnn-tests-"));
  const report = join(scratch, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const projects = names.map((name) => `--project=${name}`);
  const { status } = await run(tool("vitest", "vitest"), ["run", ...reporters, ...projects], { env });
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    // A suite that cannot be loaded has no test that fails.
    const failed = status === 0 ? numFailedTests : Math.max(1, numFailedTests);
    return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests };
  } catch {
    console.error(`The suites ended without a report (exit code ${status}).`);
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

const chosen = process.argv.slice(2);
const unknown = chosen.find((name) => !groups.some((group) => group.name === name));
if (unknown !== undefined) {
  console.error(`There is no group "${unknown}"; groups are ${groups.map(({ name }) => name).join(", ")}.`);
  process.exit(2);
}
const asked = groups.filter(({ name }) => chosen.length === 0 || chosen.includes(name));
const pythons = new Set(asked.flatMap(({ python }) => python ?? []));
const prepared = Promise.all([...pythons].map(prepare));
const checked = asked.some(({ name }) => name === "smoke")
  ? await Promise.all(
      commands.map(async ({ name, tool: script, args }) => {
        const { status } = await run(script, args);
        console.log(`${status === 0 ? "passed" : "FAILED"}: ${name}`);
        return status === 0;
      }),
    )
  : [];
const suites = await runSuites(
  asked.map(({ name }) => name),
  Object.assign({}, ...(await prepared)),
);
const passed = suites.passed + checked.filter((own) => own).length;
const failed = suites.failed + checked.filter((own) => !own).length;
const skipped = suites.skipped > 0 ? `, ${suites.skipped} skipped` : "";
console.log(`\n${passed} passed, ${failed} failed${skipped}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
