import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PRELOADED } from "../cells/preloaded.js";
import type { Virtual } from "./files.js";
import { exportedNames } from "./names.js";
import type { Cell, Declaration } from "./syntax.js";

/** Where a name comes from: the module that declares it. */
interface Origin {
  readonly module: string;
  readonly kind: Declaration;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const SDK = here("../../index.js");
/** Declarations where the package is built, the source itself where it is not. */
export const SDK_TYPES = ["../../index.d.ts", "../../index.ts"].map(here).find((path) => existsSync(path))!;

/** The names that a cell can use, and the declarations of those that cells made. */
export class Known {
  readonly #origins = new Map<string, Origin>();
  readonly #sdk: readonly string[] = exportedNames(SDK_TYPES);
  #cells = 0;

  constructor(
    readonly folder: string,
    readonly virtual: Virtual,
  ) {
    this.reset();
  }

  /** Forgets what cells declared. */
  reset(): void {
    this.#origins.clear();
    this.#dropUnused();
    for (const [name, file] of Object.entries(PRELOADED))
      this.#origins.set(name, { module: here(`../cells/${file}.js`), kind: "constant" });
    for (const name of this.#sdk) this.#origins.set(name, { module: SDK, kind: "constant" });
  }

  /** The names that a cell sees, of those that are wanted: what it declares itself hides what was there. */
  visible(cell: Cell, wanted: (name: string) => boolean): string[] {
    return [...this.#origins.keys()].filter((name) => wanted(name) && !cell.declares.has(name));
  }

  /** Import statements for the names, on one line. */
  imports(names: readonly string[]): string {
    const byModule = new Map<string, string[]>();
    for (const name of names) {
      const { module } = this.#origins.get(name)!;
      byModule.set(module, [...(byModule.get(module) ?? []), name]);
    }
    return [...byModule]
      .map(([module, members]) => `import { ${members.join(", ")} } from ${JSON.stringify(module)};`)
      .join("");
  }

  isOfSdk(name: string): boolean {
    return this.#origins.get(name)?.module === SDK;
  }

  /** Whether cells may give the name another value. */
  isVariable(name: string): boolean {
    return this.#origins.get(name)?.kind === "variable";
  }

  /** Adds the names that a cell declared, with the declarations that the compiler wrote for it. */
  add(cell: Cell, names: readonly string[], declarations: string): void {
    const module = join(this.folder, `${PREFIX}${++this.#cells}`);
    this.virtual.set(`${module}.d.ts`, { text: declarations, version: this.#cells });
    for (const name of names) {
      const kind = cell.declares.get(name);
      if (kind) this.#origins.set(name, { module, kind });
    }
    this.#dropUnused();
  }

  /** Drops declarations that no name leads to any more, so that memory does not grow with the cells. */
  #dropUnused(): void {
    const used = new Set<string>();
    const visit = (path: string): void => {
      const file = this.virtual.get(path);
      if (!file || used.has(path)) return;
      used.add(path);
      for (const [, name] of file.text.matchAll(REFERENCE)) visit(join(this.folder, `${name}.d.ts`));
    };
    for (const { module } of this.#origins.values()) visit(`${module}.d.ts`);
    for (const path of this.virtual.keys())
      if (path.startsWith(join(this.folder, PREFIX)) && !used.has(path)) this.virtual.delete(path);
  }
}

/** How modules in memory are named that hold what cells declared. */
const PREFIX = "autoqnn-cell-";
const REFERENCE = /["'/](autoqnn-cell-\d+)["']/g;
