import { mkdir, mkdtemp, realpath, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Cells that are right, by what they try. They are run in this order, in the folder of `makeProject`. */
export const CELLS: Readonly<Record<string, string>> = {
  "a value": "1 + 1",
  "a declaration": "let total = 1; const add = (n: number): void => { total += n; };",
  "a variable of an earlier cell": "add(2); total = total * 10; total",
  "a generic class": "class Point<T> { constructor(readonly at: T) {} } new Point(total).at",
  "an interface and an enum": "interface P { x: number } enum Kind { A = 4 } const p: P = { x: Kind.A }; p.x",
  "a name again, of another type": "const again = 1; const text = 'a';",
  "the name of another type": "const again = 'text'; again.toUpperCase() + text",
  "top-level await": "const waited = await Promise.resolve(3); waited",
  "a module of Node": 'import { join } from "node:path"; join("a", "b")',
  "a file beside the notebook": 'import { beside } from "./beside"; beside + 1',
  "a file outside of the notebook's folder": 'import { sum } from "../project"; sum(1)',
  "a package of CommonJS": 'import { cjs } from "only-cjs"; cjs',
  "a package of ES modules": 'import { esm } from "only-esm"; esm',
  "a dynamic import of it": '(await import("only-esm")).esm',
  "`satisfies` and `using`":
    "const kept = { a: 1 } satisfies Record<string, number>; { using held = { [Symbol.dispose]() {} }; void held; } kept.a",
};

/** Writes a project with a notebook's folder, a file outside of it, and two packages. Returns the notebook's folder. */
export async function makeProject(): Promise<{ readonly project: string; readonly folder: string }> {
  const project = await realpath(await mkdtemp(join(tmpdir(), "autoqnn-bench-")));
  const folder = join(project, "notebooks");
  const files: Record<string, string> = {
    "notebooks/beside.ts": "export const beside: number = 1;",
    "project.ts": "export const sum = (a: number): number => a + 10;",
    "node_modules/only-cjs/package.json": JSON.stringify({
      name: "only-cjs",
      main: "i.js",
      types: "i.d.ts",
    }),
    "node_modules/only-cjs/i.js": "exports.cjs = 3;",
    "node_modules/only-cjs/i.d.ts": "export declare const cjs: number;",
    "node_modules/only-esm/package.json": JSON.stringify({
      name: "only-esm",
      type: "module",
      exports: { ".": { types: "./i.d.ts", import: "./i.js" } },
    }),
    "node_modules/only-esm/i.js": "export const esm = 1;",
    "node_modules/only-esm/i.d.ts": "export declare const esm: number;",
  };
  await mkdir(folder);
  for (const name of ["only-cjs", "only-esm"])
    await mkdir(join(project, "node_modules", name), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(project, name), text);
  return { project, folder };
}
