import { join } from "node:path";
import type { Failure, Program } from "../cells/protocol.js";
import { ASSIGNED_IMPORT, assignmentFault } from "./assignment.js";
import { type Fault, tellFaults } from "./diagnostics.js";
import { emit } from "./emit.js";
import { serviceHost, type Virtual } from "./files.js";
import { Known, SDK_TYPES } from "./known.js";
import { type Cell, readCell } from "./syntax.js";
import ts from "./typescript.cjs";

/** A cell that can run, or why it cannot. */
export type Compiled = { readonly program: Program } | { readonly failure: Failure };

/**
 * The compiler of one notebook. It checks each cell against the types of what earlier cells declared, which it keeps as
 * declarations alone, so that a cell costs the same however many came before.
 */
export class Notebook {
  readonly #virtual: Virtual = new Map();
  readonly #known: Known;
  readonly #file: string;
  readonly #service: ts.LanguageService;
  /** What the cell that was compiled last would add. */
  #pending: { readonly cell: Cell; readonly declarations: string } | undefined;
  #version = 0;

  constructor(folder: string) {
    this.#known = new Known(folder, this.#virtual);
    this.#file = join(folder, "autoqnn-cell.ts");
    this.#service = ts.createLanguageService(serviceHost(folder, SDK_TYPES, [this.#file], this.#virtual));
  }

  /** Forgets what cells declared. */
  reset(): void {
    this.#pending = undefined;
    this.#known.reset();
  }

  /** Checks a cell and makes it ready to run. */
  compile(name: string, source: string): Compiled {
    this.#pending = undefined;
    const cell = readCell(source);
    const known = this.#known.visible(cell, (each) => cell.mentions.has(each));
    const offset = this.#put(source, cell, known);
    const faults = this.#faults(offset);
    if (faults.length > 0) return { failure: tellFaults(name, source, faults) };
    const values = this.#importedValues();
    const imports = cell.imports.filter((_, index) => {
      const { names } = cell.importEnds[index]!;
      return names.length === 0 || names.some((each) => values.has(each));
    });
    const declares = [...cell.declares.keys()];
    if (declares.length > 0) this.#pending = { cell, declarations: this.#declarations() };
    const usesSdk = known.some((each) => this.#known.isOfSdk(each));
    return { program: { name, source, ...emit(source, cell, known, values), imports, declares, usesSdk } };
  }

  /** Keeps what the cell that was compiled last declared: the names that came to be. */
  commit(defined: readonly string[]): void {
    if (this.#pending && defined.length > 0)
      this.#known.add(
        this.#pending.cell,
        this.#withTypes(this.#pending.cell, defined),
        this.#pending.declarations,
      );
    this.#pending = undefined;
  }

  /** Opens code with every known name in sight, for questions about it. `offset`: where it starts in the file. */
  open(code: string): {
    readonly service: ts.LanguageService;
    readonly file: string;
    readonly offset: number;
  } {
    const cell = readCell(code);
    const offset = this.#put(
      code,
      cell,
      this.#known.visible(cell, () => true),
    );
    return { service: this.#service, file: this.#file, offset };
  }

  /** Reads the types of all that is known, so that the first cell that names it need not. */
  warmUp(): void {
    // The source takes many times as long to read as declarations, and keeps cells waiting meanwhile.
    if (!SDK_TYPES.endsWith(".d.ts")) return;
    const { service, file } = this.open("0");
    service.getSemanticDiagnostics(file);
  }

  /** Gives the service a cell between the imports of what it uses and the export of what it declares. */
  #put(code: string, cell: Cell, known: readonly string[]): number {
    const imports = `${this.#known.imports(known)}\n`;
    const exported = [...cell.declares.keys()].filter((name) => !cell.exported.has(name));
    const text = `${imports}${code}\nexport { ${exported.join(", ")} };\n`;
    this.#virtual.set(this.#file, { text, version: ++this.#version });
    return imports.length;
  }

  #faults(offset: number): Fault[] {
    const syntax = this.#service.getSyntacticDiagnostics(this.#file);
    const all = syntax.length > 0 ? syntax : this.#service.getSemanticDiagnostics(this.#file);
    const program = this.#service.getProgram()!;
    return all.flatMap(({ code, messageText, start = 0, length = 0, category }) => {
      if (category !== ts.DiagnosticCategory.Error) return [];
      const fault =
        code === ASSIGNED_IMPORT
          ? assignmentFault(
              program.getSourceFile(this.#file)!,
              program.getTypeChecker(),
              { start, length },
              (name) => this.#known.isVariable(name),
            )
          : { code, message: messageText, start, length };
      return fault ? [{ ...fault, start: Math.max(0, fault.start - offset) }] : [];
    });
  }

  /** The names that import statements of the cell bring and that are more than types. */
  #importedValues(): Set<string> {
    const program = this.#service.getProgram()!;
    const checker = program.getTypeChecker();
    const values = new Set<string>();
    const visit = (node: ts.Node): void => {
      const named = ts.isImportClause(node) || ts.isImportSpecifier(node) || ts.isNamespaceImport(node);
      if (named && node.name) {
        const symbol = checker.getSymbolAtLocation(node.name);
        const meant =
          symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
        if (meant && meant.flags & ts.SymbolFlags.Value) values.add(node.name.text);
      }
      ts.forEachChild(node, visit);
    };
    for (const statement of program.getSourceFile(this.#file)!.statements)
      if (ts.isImportDeclaration(statement) && !statement.importClause?.isTypeOnly) visit(statement);
    return values;
  }

  /** What the cell declares, as a module of types. Where a type cannot be written down, the compiler writes `any`. */
  #declarations(): string {
    const { outputFiles } = this.#service.getEmitOutput(this.#file, true, true);
    return outputFiles[0]?.text ?? "";
  }

  /** The names with those that are types alone: they come to be without running. */
  #withTypes(cell: Cell, defined: readonly string[]): string[] {
    return [...cell.declares.keys()].filter((name) => defined.includes(name) || cell.types.has(name));
  }
}
