// @ts-check
// All tests, the quick ones first: code style and types, then the suites of vitest, group by group. Ends with one line of
// counts; the exit code is 1 if anything failed. With arguments, only the groups of these names: node test/run.mjs unit
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { reason } from "../sdk/engine/native/setup/trouble.mjs";
import { kerasPython } from "./keras/environment.mjs";
import { jupyterPython } from "./notebooks/environment.mjs";

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

const root = fileURLToPath(new URL("..", import.meta.url));
const require = createRequire(import.meta.url);

/** What lies in `test` and is, or holds, suites. */
const places = new Set(
  readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => file.split(/[\\/]/)[0] ?? ""),
);
const early = [...places].filter((place) => place === "smoke" || place.endsWith(".test.ts"));
const late = ["engine", "kernel", "plan", "cli", "keras", "notebooks", "browser"];
const unit = [...places].filter((place) => !early.includes(place) && !late.includes(place));

/** The Python environments of groups, and the variable by which their suites are told why there is none. */
const environments = {
  keras: { make: kerasPython, variable: "AUTOQNN_NO_KERAS" },
  notebooks: { make: jupyterPython, variable: "AUTOQNN_NO_JUPYTER" },
  browser: { make: jupyterPython, variable: "AUTOQNN_NO_JUPYTER" },
};

/**
 * Makes the Python environment of a group before its suites, which are told why where that fails.
 *
 * @param {string} name
 * @returns {Promise<Record<string, string>>}
 */
async function prepare(name) {
  if (!Object.hasOwn(environments, name)) return {};
  const { make, variable } = environments[/** @type {keyof typeof environments} */ (name)];
  try {
    await make((line) => console.log(`set-up: ${line}`));
    return {};
  } catch (error) {
    console.log(`Without the environment of ${name}: ${reason(error)}`);
    return { [variable]: reason(error) };
  }
}

/** @type {readonly { name: string, places: readonly string[], env?: Record<string, string> }[]} */
const groups = [
  { name: "smoke", places: early },
  { name: "unit", places: unit.sort() },
  ...late.map((name) => ({ name, places: [name] })),
  { name: "reference", places: ["generate"], env: { AUTOQNN_ENGINE: "reference" } },
];

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
 * @param {string} script
 * @param {readonly string[]} args
 * @param {Record<string, string>} [env]
 */
function run(script, args, env = {}) {
  return spawnSync(process.execPath, [script, ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
}

/**
 * @param {typeof groups[number]} group
 * @returns {Counts}
 */
function runSuites(group) {
  const present = group.places.filter((place) => places.has(place));
  if (present.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const scratch = mkdtempSync(join(tmpdir(), "autoqnn-tests-"));
  const report = join(scratch, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const paths = present.map((place) => (place.endsWith(".ts") ? `test/${place}` : `test/${place}/`));
  const { status } = run(tool("vitest", "vitest"), ["run", ...reporters, ...paths], group.env);
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    // A suite that cannot be loaded has no test that fails.
    const failed = status === 0 ? numFailedTests : Math.max(1, numFailedTests);
    return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests };
  } catch {
    console.error(`The group "${group.name}" ended without a report (exit code ${status}).`);
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
const total = { passed: 0, failed: 0, skipped: 0 };
/** @param {Counts} counts */
function add({ passed, failed, skipped }) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
}
for (const group of groups) {
  if (chosen.length > 0 && !chosen.includes(group.name)) continue;
  console.log(`\n== ${group.name}`);
  if (group.name === "smoke") {
    for (const { name, tool: script, args } of commands) {
      const { status } = run(script, args);
      console.log(`${status === 0 ? "passed" : "FAILED"}: ${name}`);
      add({ passed: Number(status === 0), failed: Number(status !== 0), skipped: 0 });
    }
  }
  add(runSuites({ ...group, env: { ...group.env, ...(await prepare(group.name)) } }));
}
console.log(
  `\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ""}`,
);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;
