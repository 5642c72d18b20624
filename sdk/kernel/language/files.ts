import { createRequire } from "node:module";
import { dirname } from "node:path";
import ts from "./typescript.cjs";

/** Files that exist in memory alone. */
export type Virtual = Map<string, { readonly text: string; readonly version: number }>;

const require = createRequire(import.meta.url);

/** How cells are checked: strictly, but a parameter may be left without a type. */
function settings(sdk: string): ts.CompilerOptions {
  return {
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2023.d.ts"],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    strict: true,
    noImplicitAny: false,
    esModuleInterop: true,
    resolveJsonModule: true,
    allowImportingTsExtensions: true,
    allowJs: true,
    skipLibCheck: true,
    declaration: true,
    emitDeclarationOnly: true,
    newLine: ts.NewLineKind.LineFeed,
    types: ["node"],
    typeRoots: [dirname(dirname(require.resolve("@types/node/package.json")))],
    paths: { autoqnn: [sdk], tslab: [require.resolve("tslab/dist/public.d.ts")] },
  };
}

/** What the compiler sees of the world: the file system, and the files in memory before it. */
export function serviceHost(
  folder: string,
  sdk: string,
  roots: readonly string[],
  virtual: Virtual,
): ts.LanguageServiceHost {
  const options = settings(sdk);
  const version = (path: string): string => {
    const file = virtual.get(path);
    if (file) return String(file.version);
    // Packages do not change while a notebook is open; files of the project do.
    if (path.includes("/node_modules/")) return "0";
    return String(ts.sys.getModifiedTime?.(path)?.getTime() ?? 0);
  };
  const readFile = (path: string): string | undefined => virtual.get(path)?.text ?? ts.sys.readFile(path);
  return {
    getCompilationSettings: () => options,
    getScriptFileNames: () => [...roots],
    getScriptVersion: version,
    getScriptSnapshot: (path) => {
      const text = readFile(path);
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
    },
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (path) => virtual.has(path) || ts.sys.fileExists(path),
    readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    ...(ts.sys.realpath && { realpath: ts.sys.realpath }),
  };
}
