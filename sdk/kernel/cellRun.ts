import type { Failure } from "./cells/protocol.js";
import type { Cells } from "./cells.js";
import type { Compiler } from "./compiler.js";

/** How running a piece of code came out. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly failure: Failure };

const RED = "\u001b[31m";
const OFF = "\u001b[0m";

/** Compiles a cell and runs it. Nothing of it runs where the compiler finds an error. */
export async function runCell(
  { compiler, cells }: { readonly compiler: Compiler; readonly cells: Cells },
  { name, code, allowInput }: { readonly name: string; readonly code: string; readonly allowInput: boolean },
  interrupt: AbortSignal,
): Promise<Outcome> {
  if (isEmpty(code)) return { ok: true };
  const compiled = await before(interrupt, compiler.call("compile", name, code));
  if (!compiled || interrupt.aborted) return { ok: false, failure: INTERRUPTED };
  if ("failure" in compiled) return { ok: false, failure: compiled.failure };
  const ready = await cells.prepare();
  if (ready.kind === "interrupted" || interrupt.aborted) return { ok: false, failure: INTERRUPTED };
  const ending = ready.kind === "died" ? ready : await cells.run(compiled.program, allowInput);
  if (ending.kind === "died") {
    compiler.tell("reset");
    return { ok: false, failure: failure("KernelProcessEnded", ended(ending.how)) };
  }
  compiler.tell("commit", ending.defined);
  return ending.failure ? { ok: false, failure: ending.failure } : { ok: true };
}

/** The value, or undefined where the interrupt comes before it. */
async function before<T>(interrupt: AbortSignal, value: Promise<T>): Promise<T | undefined> {
  let hear = (): void => undefined;
  const interrupted = new Promise<undefined>((resolve) => {
    hear = () => resolve(undefined);
    interrupt.addEventListener("abort", hear);
  });
  try {
    return await Promise.race([value, interrupted]);
  } finally {
    interrupt.removeEventListener("abort", hear);
  }
}

/** What is said where the process of the cells is gone. */
export const ended = (how: string): string =>
  `The process that runs the cells ended (${how}): its variables are gone. ` +
  "A fresh one is ready; run the cells that you need again.";

/** A failure without a place. */
export function failure(ename: string, evalue: string): Failure {
  return { ename, evalue, traceback: [`${RED}${ename}${OFF}: ${evalue}`] };
}

const INTERRUPTED = failure("Interrupted", "The cell was interrupted before it ran.");

/** Nothing but spaces and comments of lines: there is nothing to compile. */
const isEmpty = (code: string): boolean => code.split("\n").every((line) => /^\s*(\/\/.*)?$/.test(line));
