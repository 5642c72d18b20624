// @ts-check
// What lies in `test`, by group: what each holds, and what its suites are told or need.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Group
 * @property {string} name
 * @property {readonly string[]} places folders and suites of `test`
 * @property {Readonly<Record<string, string>>} [env] what its suites find in their environment
 * @property {"keras" | "jupyter"} [python] the Python environment that its suites need
 */

/** What holds suites, or is one. */
const places = new Set(
  readdirSync(fileURLToPath(new URL(".", import.meta.url)), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".test.ts"))
    .map((file) => file.split(/[\\/]/)[0] ?? ""),
);

/** @type {readonly Group[]} */
const named = [
  { name: "smoke", places: ["smoke", ...[...places].filter((place) => place.endsWith(".test.ts"))] },
  { name: "engine", places: ["engine"] },
  { name: "kernel", places: ["kernel"], python: "jupyter" },
  { name: "plan", places: ["plan"] },
  { name: "cli", places: ["cli"] },
  { name: "keras", places: ["keras"], python: "keras" },
  { name: "notebooks", places: ["notebooks"], python: "jupyter" },
  { name: "browser", places: ["browser"], python: "jupyter" },
];
const others = [...places].filter((place) => !named.some((group) => group.places.includes(place)));

/** @type {readonly Group[]} */
export const groups = [
  ...named,
  { name: "unit", places: others.sort() },
  { name: "reference", places: ["generate"], env: { AUTOQNN_ENGINE: "reference" } },
];

/**
 * The long suites, those first that take longest: one that began last would keep one core busy while the other is idle.
 * Their order is of no other use; a suite that is missing here is run after them.
 */
export const LONG = [
  ...["notebooks/notebooks", "reproduce/command", "model/nsfwjs", "keras/twins", "study/jobs"],
  ...["browser/quickStart", "cli/cli", "model/layers/layers", "generate/layers"],
].map((suite) => `test/${suite}.test.ts`);
