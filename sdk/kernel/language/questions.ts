import type { Json } from "../wire.js";
import type { Notebook } from "./notebook.js";
import ts from "./typescript.cjs";

/** What completes the code at the cursor, in the words of Jupyter's protocol: positions count characters, not UTF-16 units. */
export function complete(notebook: Notebook, code: string, cursor: number): Json {
  const at = unitsOf(code, cursor);
  const { service, file, offset } = notebook.open(code);
  const found = service.getCompletionsAtPosition(file, offset + at, {
    includeCompletionsForModuleExports: false,
    includeCompletionsWithInsertText: false,
  });
  const word = /[\p{ID_Continue}$]*$/u.exec(code.slice(0, at))![0];
  const start = charactersOf(code, at - word.length);
  const entries = (found?.entries ?? [])
    .filter(({ name }) => name.toLowerCase().startsWith(word.toLowerCase()) && !name.includes("autoqnn-cell"))
    .sort((left, right) => compare(left.sortText, right.sortText) || compare(left.name, right.name));
  return {
    status: "ok",
    matches: entries.map(({ name }) => name),
    cursor_start: start,
    cursor_end: cursor,
    metadata: {
      _jupyter_types_experimental: entries.map(({ name, kind }) => ({
        text: name,
        type: kind,
        start,
        end: cursor,
      })),
    },
  };
}

/** What stands at the cursor: its type and its docstring. In the brackets of a call, what is called. */
export function inspect(notebook: Notebook, code: string, cursor: number): Json {
  const { service, file, offset } = notebook.open(code);
  const at = unitsOf(code, cursor);
  const called = code.lastIndexOf("(", at - 1);
  for (const position of [at, at - 1, called - 1]) {
    if (position < 0) continue;
    const info = service.getQuickInfoAtPosition(file, offset + position);
    if (!info) continue;
    const text = tell(info);
    return {
      status: "ok",
      found: true,
      data: { "text/plain": text, "text/markdown": markdown(info) },
      metadata: {},
    };
  }
  return { status: "ok", found: false, data: {}, metadata: {} };
}

function tell(info: ts.QuickInfo): string {
  return [signature(info), documentation(info), ...tags(info)].filter((part) => part !== "").join("\n\n");
}

function markdown(info: ts.QuickInfo): string {
  return [`\`\`\`typescript\n${signature(info)}\n\`\`\``, documentation(info), ...tags(info)]
    .filter((part) => part !== "")
    .join("\n\n");
}

/** Names of earlier cells and of the SDK are imported behind the scenes: of this the user need not hear. */
const signature = ({ displayParts }: ts.QuickInfo): string =>
  ts
    .displayPartsToString(displayParts)
    .replace(/^\(alias\) /, "")
    .replace(/\nimport .*$/, "");

const documentation = (info: ts.QuickInfo): string => ts.displayPartsToString(info.documentation);

const tags = ({ tags = [] }: ts.QuickInfo): string[] =>
  tags.map(({ name, text }) => {
    const content = ts.displayPartsToString(text);
    return name === "example" ? `Example:\n${content}` : `@${name} ${content}`;
  });

const compare = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);
const unitsOf = (text: string, characters: number): number => [...text].slice(0, characters).join("").length;
const charactersOf = (text: string, units: number): number => [...text.slice(0, units)].length;
