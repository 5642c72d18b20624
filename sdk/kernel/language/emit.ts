import { type Program, SCOPE } from "../cells/protocol.js";
import type { Cell } from "./syntax.js";
import ts from "./typescript.cjs";

/** What of a cell the process that runs it needs. */
export type Emitted = Pick<Program, "code" | "map" | "offset">;

/**
 * JavaScript for a cell: CommonJS, in which every name of a notebook is a member of one scope. What a cell declares is exported to
 * it, what earlier cells declared is imported from it, so that all cells see one value of a name, whoever changes it.
 */
export function emit(
  source: string,
  cell: Cell,
  known: readonly string[],
  values: ReadonlySet<string>,
): Emitted {
  const prelude = known.length > 0 ? `import { ${known.join(", ")} } from "${SCOPE}";\n` : "\n";
  const { outputText, sourceMapText } = ts.transpileModule(prelude + edit(source, cell, values), {
    fileName: "cell.ts",
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      sourceMap: true,
    },
    transformers: { before: [rewrite] },
  });
  return { code: keepValues(outputText), map: sourceMapText ?? "{}", offset: 1 };
}

/** Puts in the words that hand names and the result over. They add no line: places in errors stay right. */
function edit(source: string, cell: Cell, values: ReadonlySet<string>): string {
  const insertions: [number, string][] = cell.exportAt.map((at) => [at, "export "]);
  for (const { end, names } of cell.importEnds) {
    const kept = names.filter((name) => values.has(name));
    if (kept.length > 0)
      insertions.push([end, `;${kept.map((name) => `exports.${name} = ${name};`).join("")}`]);
  }
  if (cell.last) insertions.push([cell.last.start, ";$result("], [cell.last.end, ")"]);
  insertions.sort(([left], [right]) => left - right);
  let [text, at] = ["", 0];
  for (const [position, words] of insertions) {
    text += source.slice(at, position) + words;
    at = position;
  }
  return text + source.slice(at);
}

/** `await`, `import()` and `import.meta` go to what the process of the cells gives for them. */
function rewrite(context: ts.TransformationContext): (file: ts.SourceFile) => ts.SourceFile {
  const { factory } = context;
  const call = (name: string, ...args: readonly ts.Expression[]): ts.Expression =>
    factory.createCallExpression(factory.createIdentifier(name), undefined, args);
  const visit = (node: ts.Node): ts.Node => {
    const inner = ts.visitEachChild(node, visit, context);
    // The cell is asked for before the wait begins: arguments are computed in order.
    if (ts.isAwaitExpression(inner)) return call("$await", call("$running"), inner);
    if (ts.isCallExpression(inner) && inner.expression.kind === ts.SyntaxKind.ImportKeyword)
      return call("$import", ...inner.arguments);
    if (ts.isMetaProperty(inner) && inner.keywordToken === ts.SyntaxKind.ImportKeyword)
      return factory.createIdentifier("$meta");
    return inner;
  };
  return (file) => ts.visitEachChild(file, visit, context);
}

/**
 * Takes out the statements by which TypeScript empties what a module exports before it runs: a name keeps its value until the cell
 * gives it another.
 */
function keepValues(code: string): string {
  return code.replace(/^(?:exports\.[\p{ID_Continue}$]+ = )+void 0;$/gmu, "");
}
