import type { Fault } from "./diagnostics.js";
import ts from "./typescript.cjs";

/** TypeScript's code for a value given to a name that was imported: what earlier cells declared is imported here. */
export const ASSIGNED_IMPORT = 2632;

/** What is wrong with giving a value to a name of an earlier cell, if anything is. */
export function assignmentFault(
  file: ts.SourceFile,
  checker: ts.TypeChecker,
  { start, length }: { readonly start: number; readonly length: number },
  isVariable: (name: string) => boolean,
): Fault | undefined {
  const node = identifierAt(file, start);
  if (!node) return undefined;
  if (!isVariable(node.text))
    return {
      code: 2588,
      message: `Cannot assign to '${node.text}' because it is a constant.`,
      start,
      length,
    };
  const { parent } = node;
  if (!ts.isBinaryExpression(parent) || parent.operatorToken.kind !== ts.SyntaxKind.EqualsToken)
    return undefined;
  const symbol = checker.getSymbolAtLocation(node);
  if (!symbol || !(symbol.flags & ts.SymbolFlags.Alias)) return undefined;
  const wanted = checker.getTypeOfSymbol(checker.getAliasedSymbol(symbol));
  const given = checker.getTypeAtLocation(parent.right);
  if (checker.isTypeAssignableTo(given, wanted)) return undefined;
  const [from, to] = [given, wanted].map((type) => checker.typeToString(type));
  return { code: 2322, message: `Type '${from}' is not assignable to type '${to}'.`, start, length };
}

function identifierAt(file: ts.SourceFile, position: number): ts.Identifier | undefined {
  const find = (node: ts.Node): ts.Identifier | undefined => {
    if (position < node.getStart(file) || position >= node.getEnd()) return undefined;
    return ts.isIdentifier(node) ? node : ts.forEachChild(node, find);
  };
  return ts.forEachChild(file, find);
}
