import ts from "./typescript.cjs";

/** What stands at the top of a cell, read from its text alone. */
export interface Cell {
  /** Names that the cell declares, with the kind of what declares them. */
  readonly declares: ReadonlyMap<string, Declaration>;
  /** Those of them that it exports by itself. */
  readonly exported: ReadonlySet<string>;
  /** Those of them that are types alone. */
  readonly types: ReadonlySet<string>;
  /** All names that occur in it. */
  readonly mentions: ReadonlySet<string>;
  /** Specifiers of its import statements that load something. */
  readonly imports: readonly string[];
  /** Import statements, by where they end, with the names that they bring. */
  readonly importEnds: readonly { readonly end: number; readonly names: readonly string[] }[];
  /** Where declarations start that need the word `export`. */
  readonly exportAt: readonly number[];
  /** The expression that the cell ends with. */
  readonly last?: { readonly start: number; readonly end: number; readonly statementEnd: number };
}

/** Whether a name can be given another value. */
export type Declaration = "variable" | "constant";

/** Reads a cell. Errors of syntax are for the compiler to tell. */
export function readCell(source: string): Cell {
  const file = ts.createSourceFile("cell.ts", source, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const declares = new Map<string, Declaration>();
  const exported = new Set<string>();
  const types = new Set<string>();
  const imports: string[] = [];
  const importEnds: { end: number; names: string[] }[] = [];
  const exportAt: number[] = [];
  for (const statement of file.statements) {
    if (ts.isImportDeclaration(statement)) {
      const names = importedNames(statement);
      for (const name of names) declares.set(name, "constant");
      if (statement.importClause?.isTypeOnly) for (const name of names) types.add(name);
      else {
        imports.push((statement.moduleSpecifier as ts.StringLiteral).text);
        importEnds.push({ end: statement.getEnd(), names });
      }
      continue;
    }
    const names = declaredNames(statement);
    for (const [name, kind] of names) declares.set(name, kind);
    if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement))
      for (const [name] of names) types.add(name);
    if (isExported(statement)) for (const [name] of names) exported.add(name);
    else if (names.length > 0) exportAt.push(statement.getStart(file));
  }
  const last = lastExpression(file);
  return {
    declares,
    exported,
    types,
    mentions: mentions(file),
    imports,
    importEnds,
    exportAt,
    ...(last && { last }),
  };
}

function importedNames({ importClause }: ts.ImportDeclaration): string[] {
  const bindings = importClause?.namedBindings;
  const named = !bindings
    ? []
    : ts.isNamespaceImport(bindings)
      ? [bindings.name.text]
      : bindings.elements.map(({ name }) => name.text);
  return importClause?.name ? [importClause.name.text, ...named] : named;
}

function declaredNames(statement: ts.Statement): [string, Declaration][] {
  if (ts.isVariableStatement(statement)) {
    const { declarations, flags } = statement.declarationList;
    const kind = flags & ts.NodeFlags.Constant ? "constant" : "variable";
    return declarations.flatMap(({ name }) =>
      boundNames(name).map((bound): [string, Declaration] => [bound, kind]),
    );
  }
  const named =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isEnumDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    (ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name));
  return named && statement.name ? [[(statement.name as ts.Identifier).text, "constant"]] : [];
}

function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) =>
    ts.isOmittedExpression(element) ? [] : boundNames(element.name),
  );
}

const isExported = (statement: ts.Statement): boolean =>
  ts.canHaveModifiers(statement) &&
  (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);

function mentions(file: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return names;
}

function lastExpression(file: ts.SourceFile): Cell["last"] {
  const statement = file.statements.findLast((each) => !ts.isEmptyStatement(each));
  if (!statement || !ts.isExpressionStatement(statement)) return undefined;
  const { expression } = statement;
  return { start: expression.getStart(file), end: expression.getEnd(), statementEnd: statement.getEnd() };
}
