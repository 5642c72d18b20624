import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { constants, Script } from "node:vm";
import { SCOPE } from "./protocol.js";
import { tslab } from "./tslab.js";

/** Values by name. */
type Names = Record<string, unknown>;

/**
 * Imports for cells, relative to a notebook's folder: npm packages, both ES modules and CommonJS, Node's own modules, JSON, and
 * TypeScript or JavaScript files of the project, wherever they lie.
 */
export class Modules {
  readonly #folder: string;
  readonly #import: (specifier: string, options?: ImportCallOptions) => Promise<Names>;
  readonly #require: NodeJS.Require;
  readonly #loaded = new Map<string, Names>();
  #typescript: Promise<void> | undefined;

  constructor(
    folder: string,
    readonly sdk: () => Promise<Names>,
  ) {
    this.#folder = folder;
    // A script, since what it imports is sought from the folder that its name lies in.
    this.#import = new Script("(specifier, options) => import(specifier, options)", {
      filename: join(folder, "notebook.js"),
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }).runInThisContext();
    this.#require = createRequire(join(folder, "notebook.js"));
  }

  /** What `import(specifier)` gives in a cell. */
  async import(specifier: string, options?: ImportCallOptions): Promise<Names> {
    if (specifier === "autoqnn") return this.sdk();
    if (specifier === "tslab") return tslab();
    if (/^[./]|^file:/.test(specifier)) await this.#readTypescript();
    // An explicit attribute is what ES modules ask of JSON; TypeScript lets it be left out.
    const json = specifier.endsWith(".json") && options === undefined;
    return withMembers(await this.#import(specifier, json ? { with: { type: "json" } } : options));
  }

  /** Imports what a cell names in its import statements, so that `require` has it. */
  async prepare(specifiers: readonly string[]): Promise<void> {
    for (const specifier of specifiers) this.#loaded.set(specifier, await this.import(specifier));
  }

  /** `require` for the code of a cell: what was prepared, the scope, and what Node's own gives. */
  requireWith(scope: Names): NodeJS.Require {
    const require = (specifier: string): unknown => {
      if (specifier === SCOPE) return scope;
      return this.#loaded.get(specifier) ?? this.#require(specifier);
    };
    return Object.assign(require, this.#require);
  }

  get folder(): string {
    return this.#folder;
  }

  #readTypescript(): Promise<void> {
    this.#typescript ??= (async () => {
      const [esm, cjs] = await Promise.all([import("tsx/esm/api"), import("tsx/cjs/api")]);
      const tsconfig = join(this.#folder, "tsconfig.json");
      cjs.register();
      esm.register(existsSync(tsconfig) ? { tsconfig } : {});
    })();
    return this.#typescript;
  }
}

/**
 * How TypeScript's code takes members from a module: as they come, since `import` has settled already what the default is.
 * Without it, TypeScript would wrap ES modules once more.
 */
export const INTEROP = {
  __importStar: (module: Names): Names => module,
  __importDefault: (module: Names): Names => module,
};

/** A module with the members of its default too: Node does not find the names of all CommonJS modules. */
function withMembers(module: Names): Names {
  const whole = module.default;
  if (whole === null || (typeof whole !== "object" && typeof whole !== "function")) return module;
  if (Object.keys(whole).every((name) => name in module)) return module;
  return Object.assign(Object.create(whole), module) as Names;
}
