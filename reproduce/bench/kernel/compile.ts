import { rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { chdir, cwd } from "node:process";
import type { Notebook } from "../../../sdk/kernel/language/notebook.js";
import { CELLS, makeProject } from "./cells.js";
import { NAMES, type Name } from "./peers.js";

interface Compiler {
  /** Compiles a cell and keeps what it declares. Says whether it could be compiled. */
  compile(source: string): boolean;
  close(): void;
}

const require = createRequire(import.meta.url);
const OURS = new URL("../../../dist/sdk/kernel/language/notebook.js", import.meta.url).href;

const COMPILERS: Record<Name, (folder: string) => Promise<Compiler>> = {
  autoqnn: async (folder) => {
    const module = (await import(OURS)) as { Notebook: typeof Notebook };
    const notebook = new module.Notebook(folder);
    return {
      compile(source) {
        const compiled = notebook.compile("In[1]", source);
        if ("failure" in compiled) return false;
        notebook.commit(compiled.program.declares);
        return true;
      },
      close: () => undefined,
    };
  },
  // It resolves in the folder of the process.
  tslab: async () => {
    const { createConverter } =
      require("tslab/dist/converter.js") as typeof import("tslab/dist/converter.js");
    const converter = createConverter({ isJS: false, isBrowser: false });
    let declarations = "";
    return {
      compile(source) {
        const { diagnostics, declOutput } = converter.convert(declarations, source);
        if (diagnostics.length > 0) return false;
        declarations = declOutput ?? "";
        return true;
      },
      close: () => converter.close(),
    };
  },
};

/** Milliseconds that each cell takes to compile, by round; what fails or throws is undefined. The peers take turns at every cell. */
export async function compileCells(
  rounds: number,
): Promise<Record<Name, Record<string, number | undefined>[]>> {
  const { project, folder } = await makeProject();
  const before = cwd();
  chdir(folder);
  const compilers: [Name, Compiler][] = [];
  try {
    for (const name of NAMES) compilers.push([name, await COMPILERS[name](folder)]);
    for (const [, compiler] of compilers) compiler.compile("0");
    const times: Record<Name, Record<string, number | undefined>[]> = { autoqnn: [], tslab: [] };
    for (let round = 0; round < rounds; round++)
      for (const [what, code] of Object.entries(CELLS))
        for (const [name, compiler] of compilers) {
          times[name][round] ??= {};
          times[name][round]![what] = timed(compiler, code);
        }
    return times;
  } finally {
    for (const [, compiler] of compilers) compiler.close();
    chdir(before);
    await rm(project, { recursive: true, force: true });
  }
}

function timed(compiler: Compiler, code: string): number | undefined {
  const begin = performance.now();
  try {
    return compiler.compile(code) ? performance.now() - begin : undefined;
  } catch {
    return undefined;
  }
}
