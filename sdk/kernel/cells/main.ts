// The process that runs the cells of a notebook. The kernel starts it, and a fresh one whenever it ends.
import { join } from "node:path";
import { Script } from "node:vm";
import { serveNotebook } from "../../display.js";
import { say } from "./channel.js";
import { comms, receiveComm } from "./comms.js";
import { dfd } from "./dataFrames.js";
import { clearOutput, display } from "./display.js";
import { answerInput, input } from "./input.js";
import { INTEROP, Modules } from "./modules.js";
import { plotly } from "./plotly.js";
import type { PRELOADED } from "./preloaded.js";
import type { Program, Request } from "./protocol.js";
import { awaited, hearInterrupts, run, running, signal, uncut } from "./running.js";
import { type Renderer, renderWith, show } from "./show.js";
import { Tracebacks } from "./traceback.js";

type Names = Record<string, unknown>;

/** The file descriptor over which the kernel tells of interrupts; it is closed when the kernel is gone. */
const INTERRUPTS = 4;

const tracebacks = new Tracebacks();
const preloaded: Names = {
  clearOutput,
  comms,
  dfd,
  display,
  input,
  plotly,
} satisfies Record<keyof typeof PRELOADED, unknown>;
/** What cells declare, on top of what is there from the start. */
const scope: Names = Object.create(preloaded);
const modules = new Modules(process.cwd(), sdk);
let loading: Promise<Names> | undefined;

/** The SDK: loaded once, when there is time and at the latest before the first cell. */
function sdk(): Promise<Names> {
  loading ??= uncut(() => import("../../index.js")).then((loaded: Names) => {
    // A name of the SDK goes before one of the kernel's: it knows its own values best.
    for (const [name, value] of Object.entries(loaded)) preloaded[name] = value;
    if (typeof loaded.bundleOf === "function") renderWith(loaded.bundleOf as Renderer);
    return loaded;
  });
  return loading;
}

/** The value of the cell's last expression, if it has one. */
async function evaluate(program: Program): Promise<{ readonly value?: unknown }> {
  let result: { readonly value?: unknown } = {};
  // The line break keeps the user's last comment from swallowing the end.
  const wrapped = `(async function $cell(exports, require, $result, $running, $await, $import, $meta, __filename, __dirname) {${program.code}\n})`;
  const body = new Script(wrapped, { filename: program.name }).runInThisContext() as (
    this: typeof INTEROP,
    ...args: unknown[]
  ) => Promise<void>;
  const filename = join(modules.folder, "notebook.ts");
  await body.call(
    INTEROP,
    scope,
    modules.requireWith(scope),
    (value: unknown) => {
      result = { value };
    },
    running,
    awaited,
    (specifier: string, options?: ImportCallOptions) => modules.import(specifier, options),
    { url: new URL(`file://${filename}`).href, filename, dirname: modules.folder },
    filename,
    modules.folder,
  );
  const cell = running();
  return { value: awaited(cell, await result.value) };
}

async function execute({ program, ...cell }: Extract<Request, { kind: "run" }>): Promise<void> {
  tracebacks.remember(program);
  const before = new Map(program.declares.map((name) => [name, scope[name]]));
  const defined = (): string[] =>
    [...before].filter(([name, old]) => scope[name] !== old).map(([name]) => name);
  await run(
    { ...cell, name: program.name },
    async (self) => {
      if (program.usesSdk) await sdk();
      awaited(self, await modules.prepare(program.imports));
      const { value } = await evaluate(program);
      if (value !== undefined) say({ kind: "result", bundle: awaited(self, await show(value)) });
    },
    (failure) =>
      say({
        ...{ kind: "ended", cell: cell.cell },
        ...(failure
          ? { defined: defined(), failure: tracebacks.describe(failure.error) }
          : { defined: program.declares }),
      }),
  );
}

const handlers: { [K in Request["kind"]]: (request: Extract<Request, { kind: K }>) => unknown } = {
  prepare: async ({ cell }) => {
    // No cell runs while modules load: it would share its interrupts with them. Why they do not load is told by a cell that uses them.
    await sdk().catch(() => undefined);
    say({ kind: "ready", cell });
  },
  run: execute,
  input: ({ value }) => answerInput(value),
  comm: ({ message }) => receiveComm(message),
};

function report(error: unknown): void {
  console.error(tracebacks.describe(error).traceback.join("\n"));
}

process.on("message", (request: Request) => {
  Promise.resolve((handlers[request.kind] as (request: Request) => unknown)(request)).catch(report);
});
process.on("disconnect", () => process.exit());
// What a cell left running in the background may fail without ending the notebook.
process.on("uncaughtException", report);
process.on("unhandledRejection", report);
hearInterrupts(INTERRUPTS);
serveNotebook({
  display: (bundle, id) => say({ kind: "display", bundle, ...(id !== undefined && { id }) }),
  update: (bundle, id) => say({ kind: "update", bundle, id }),
  get signal() {
    return signal();
  },
});
say({ kind: "started" });
// Loading takes half a second: while the user writes the first cell.
setTimeout(() => sdk().catch(() => undefined), 50);
