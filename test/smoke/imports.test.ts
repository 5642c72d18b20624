import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Who may import whom. Keys and values are folders of `sdk`, files of it, or other folders at the top; a folder may always
 * import itself and `sdk/errors`. `types` may be imported as types alone.
 */
const RULES: Readonly<
  Record<string, { readonly may: readonly string[]; readonly types?: readonly string[] }>
> = {
  "sdk/errors": { may: [] },
  "sdk/version": { may: [] },
  "sdk/staircase": { may: [] },
  "sdk/model": { may: ["sdk/staircase"] },
  "sdk/engine": { may: ["sdk/staircase"] },
  "sdk/graph": { may: ["sdk/staircase", "sdk/model", "sdk/engine"] },
  "sdk/train": { may: ["sdk/engine", "sdk/graph", "sdk/staircase"] },
  "sdk/search": { may: ["sdk/train", "sdk/graph", "sdk/staircase"] },
  "sdk/learn": { may: ["sdk/train", "sdk/graph", "sdk/staircase"] },
  "sdk/generate": { may: ["sdk/train", "sdk/graph", "sdk/staircase", "sdk/engine", "sdk/report"] },
  "sdk/report": { may: ["sdk/staircase"], types: ["sdk/generate", "sdk/train"] },
  "sdk/cli": { may: ["sdk/index"] },
  datasets: { may: ["sdk/engine"] },
  reproduce: { may: ["sdk/index"] },
};

interface Import {
  readonly from: string;
  readonly unit: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

/** "sdk/graph" for sdk/graph/costs.ts, "sdk/index" for sdk/index.ts, "datasets" for datasets/idx.ts. */
function unitOf(path: string): string {
  const [top = "", second = ""] = path.split("/");
  return top === "sdk" ? `sdk/${second.replace(/\.[cm]?[jt]s$/, "")}` : top;
}

function importsOf(file: string): Import[] {
  const source = readFileSync(join(root, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const statements = [
    ...source.matchAll(/^(?:import|export)\s+(type\s+)?[^"';]*?from\s+"(\.[^"]+)"/gm),
    ...source.matchAll(/^import\s+()"(\.[^"]+)"/gm),
    ...source.matchAll(/\bimport\(\s*()"(\.[^"]+)"/g),
  ];
  return statements.map(([, type, path]) => ({
    from: file,
    unit: unitOf(file),
    target: unitOf(relative(root, resolve(root, dirname(file), path!)).replaceAll("\\", "/")),
    typeOnly: Boolean(type),
  }));
}

const files = ["sdk", "datasets", "reproduce"].flatMap((top) =>
  readdirSync(join(root, top), { recursive: true, encoding: "utf8" })
    .filter((file) => /\.(ts|mjs)$/.test(file))
    .map((file) => `${top}/${file.replaceAll("\\", "/")}`),
);
const imports = files.flatMap(importsOf);

describe("imports", () => {
  it("are found", () => {
    expect(imports.length).toBeGreaterThan(100);
    expect(imports).toContainEqual({
      ...{ from: "sdk/report/html.ts", unit: "sdk/report" },
      ...{ target: "sdk/train", typeOnly: true },
    });
  });

  it.each(Object.entries(RULES))("of %s stay within the rule", (unit, { may, types = [] }) => {
    const strays = imports.filter(
      ({ unit: own, target, typeOnly }) =>
        own === unit &&
        target !== own &&
        target !== "sdk/errors" &&
        !may.includes(target) &&
        !(typeOnly && types.includes(target)),
    );
    expect(strays).toEqual([]);
  });

  it("of the package lead to the outside from the door alone", () => {
    const outward = imports.filter(
      ({ unit, target }) => unit.startsWith("sdk/") && !target.startsWith("sdk/"),
    );
    expect(outward.map(({ from, target }) => [from, target])).toEqual([["sdk/index.ts", "datasets"]]);
  });

  it("have a rule for every folder", () => {
    const units = new Set(files.map(unitOf).filter((unit) => !unit.startsWith("sdk/") || isFolder(unit)));
    for (const unit of units) expect(Object.keys(RULES)).toContain(unit);
  });
});

function isFolder(unit: string): boolean {
  return files.some((file) => file.startsWith(`${unit}/`));
}
