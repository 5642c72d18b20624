import ts from "./typescript.cjs";

/** Whether a front end that reads line by line should run the code or wait for more, and how far the next line is indented. */
export interface Completeness {
  readonly status: "complete" | "incomplete" | "invalid";
  readonly indent?: string;
}

/** Errors at the end of the text that more text can mend: unterminated comments, templates and regular expressions. */
const UNTERMINATED = new Set([1010, 1160, 1161]);

/** Whether the code is complete, judged by its syntax. */
export function judgeCompleteness(code: string): Completeness {
  const file = ts.createSourceFile("cell.ts", code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const { parseDiagnostics } = file as ts.SourceFile & {
    readonly parseDiagnostics: readonly ts.Diagnostic[];
  };
  if (parseDiagnostics.length === 0) return { status: "complete" };
  const end = code.trimEnd().length;
  const mendable = ({ code: number, start = 0 }: ts.Diagnostic): boolean =>
    UNTERMINATED.has(number) || start >= end;
  // Two line breaks at the end ask for the error to be told.
  if (!parseDiagnostics.every(mendable) || /\n\s*\n\s*$/.test(code)) return { status: "invalid" };
  return { status: "incomplete", indent: "  ".repeat(depth(file, code)) };
}

/** How many brackets are open at the end. */
function depth(file: ts.SourceFile, code: string): number {
  const scanner = ts.createScanner(file.languageVersion, true, ts.LanguageVariant.Standard, code);
  let open = 0;
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    if (OPENING.has(kind)) open += 1;
    if (CLOSING.has(kind)) open -= 1;
  }
  return Math.max(0, open);
}

const OPENING = new Set([
  ts.SyntaxKind.OpenBraceToken,
  ts.SyntaxKind.OpenParenToken,
  ts.SyntaxKind.OpenBracketToken,
]);
const CLOSING = new Set([
  ts.SyntaxKind.CloseBraceToken,
  ts.SyntaxKind.CloseParenToken,
  ts.SyntaxKind.CloseBracketToken,
]);
