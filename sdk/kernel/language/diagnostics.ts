import type { Failure } from "../cells/protocol.js";
import ts from "./typescript.cjs";

/** An error of the compiler, at a place in a cell. */
export interface Fault {
  readonly code: number;
  readonly message: string | ts.DiagnosticMessageChain;
  readonly start: number;
  readonly length: number;
}

/** Tells faults as the compiler does on a terminal: place, message, and the line with what is meant underlined. */
export function tellFaults(name: string, source: string, faults: readonly Fault[]): Failure {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.Latest, false, ts.ScriptKind.TS);
  const diagnostics = faults.map(
    ({ code, message, start, length }): ts.Diagnostic => ({
      category: ts.DiagnosticCategory.Error,
      code,
      messageText: message,
      file,
      start: Math.min(start, source.length),
      length: Math.max(0, Math.min(length, source.length - start)),
    }),
  );
  const pretty = ts.formatDiagnosticsWithColorAndContext(diagnostics, {
    getCurrentDirectory: () => "",
    getCanonicalFileName: (path) => path,
    getNewLine: () => "\n",
  });
  const first = faults[0]!;
  return {
    ename: "CompileError",
    evalue: `${name}: ${ts.flattenDiagnosticMessageText(first.message, "\n")}`,
    traceback: pretty.trimEnd().split("\n"),
  };
}
