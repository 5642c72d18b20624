// The process that compiles the cells of a notebook and answers questions about their code. It keeps no more of a notebook than
// types, and lives as long as the kernel.
import { judgeCompleteness } from "./complete.js";
import { Notebook } from "./notebook.js";
import { complete, inspect } from "./questions.js";

const notebook = new Notebook(process.cwd());

const methods = {
  compile: (name: string, source: string) => notebook.compile(name, source),
  commit: (defined: readonly string[]) => notebook.commit(defined),
  reset: () => notebook.reset(),
  complete: (code: string, cursor: number) => complete(notebook, code, cursor),
  inspect: (code: string, cursor: number) => inspect(notebook, code, cursor),
  judgeCompleteness,
};

/** What can be asked of this process. */
export type Methods = typeof methods;

/** Milliseconds after which the types of the SDK are read, unless a question comes first. */
const WARM_UP = 300;

interface Call {
  readonly id: number;
  readonly method: keyof Methods;
  readonly args: readonly unknown[];
}

process.on("message", ({ id, method, args }: Call) => {
  try {
    const value = (methods[method] as (...args: readonly unknown[]) => unknown)(...args);
    process.send?.({ id, value });
  } catch (error) {
    process.send?.({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.on("disconnect", () => process.exit());

// The first program takes a second, the first with the SDK another: both while nothing is asked yet.
notebook.compile("In[0]", "0");
setTimeout(() => notebook.warmUp(), WARM_UP);
