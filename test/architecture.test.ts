import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const SDK = fileURLToPath(new URL("../sdk", import.meta.url));

/** What knows nothing of the rest, and is open to all: the one error, how a table is printed, and how values show themselves. */
const LEAVES = ["display", "errors", "table"];

/**
 * Which folders of `sdk` each folder may import values from. Types may be taken from the
 * folders after the bar as well: they say what flows, and vanish when compiled.
 */
const MAY_IMPORT: Record<string, { values: string[]; types?: string[] }> = {
  staircase: { values: [] },
  model: { values: ["staircase"] },
  engine: { values: ["staircase"] },
  graph: { values: ["staircase", "model", "engine"] },
  train: { values: ["engine", "graph", "staircase"] },
  search: { values: ["train", "graph", "staircase"] },
  learn: { values: ["train", "graph", "staircase"] },
  generate: { values: ["graph", "staircase", "engine", "train", "model", "report"] },
  report: { values: ["staircase", "generate"], types: ["train", "graph"] },
  study: {
    values: ["autoqnn", "written", "report", "engine"],
    types: ["train", "graph", "generate", "generation", "plan"],
  },
  kernel: { values: ["index"] },
  cli: { values: ["index", "kernel", "study"] },
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function imports(): Import[] {
  const files = readdirSync(SDK, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  return files.flatMap((name) => {
    const text = readFileSync(join(SDK, name), "utf8");
    const statements = text.matchAll(/^(?:import|export)\s(type\s)?[^;]*?from\s+"(\.[^"]+)"/gm);
    return [...statements].map(([, type, path]) => ({
      from: name,
      to: relative(SDK, resolve(SDK, dirname(name), path!)).replace(/\.js$/, ""),
      typeOnly: type !== undefined,
    }));
  });
}

const folder = (path: string): string => path.split("/")[0]!;

test("folders import only what the map allows", () => {
  const all = imports();
  expect(all.length).toBeGreaterThan(100);
  const wrong = all.filter(({ from, to, typeOnly }) => {
    const rule = MAY_IMPORT[folder(from)];
    if (!rule || LEAVES.includes(to) || folder(to) === folder(from)) return false;
    const allowed = typeOnly ? [...rule.values, ...(rule.types ?? [])] : rule.values;
    return !allowed.includes(folder(to));
  });
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
});

test("nothing in sdk imports outward, but the door that opens on the shipped data", () => {
  const outward = imports().filter(({ to }) => to.startsWith(".."));
  expect(outward.map(({ from, to }) => `${from} -> ${to}`)).toEqual(["index.ts -> ../datasets/index"]);
});

test("search and learning do not know each other", () => {
  const pairs = imports().map(({ from, to }) => `${folder(from)} -> ${folder(to)}`);
  expect(pairs).not.toContain("search -> learn");
  expect(pairs).not.toContain("learn -> search");
});
