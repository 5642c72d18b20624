import { createHash } from "node:crypto";
import { AutoqnnError } from "../errors.js";

/** One setting of every axis, by the axis's name. Values are what JSON can hold. */
export type Cell = Readonly<Record<string, unknown>>;

/** What stands for a value in a table: itself where it is plain, a short text where it is not. */
export type Label<T> = T extends string | number | boolean ? T : string;

/** JSON whose keys are in order: equal values give equal texts. Functions, signals and undefined are left out. */
export function canonical(value: unknown): string {
  return (
    JSON.stringify(value, (_key, part) => {
      if (part instanceof AbortSignal || typeof part === "function") return undefined;
      if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
      return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
    }) ?? "null"
  );
}

/** A short name for anything JSON can hold: equal values, equal names. */
export function digest(...values: readonly unknown[]): string {
  return createHash("sha256").update(canonical(values)).digest("hex").slice(0, 16);
}

/** The name of a cell: the same in every process, run and file. */
export const keyOf = (cell: Cell): string => digest(cell);

/**
 * A value as it stands in rows and columns.
 *
 * @example
 * labelOf("layer"); // "layer"
 * labelOf({ averageBits: 2, modelSize: "16x" }); // "averageBits=2, modelSize=16x"
 * labelOf(["clip", "pot"]); // "clip+pot"
 */
export function labelOf(value: unknown): string | number | boolean | null {
  if (value === undefined || value === null) return null;
  if (Array.isArray(value)) return value.map(labelOf).join("+");
  if (typeof value !== "object") return value as string | number | boolean;
  return Object.entries(value)
    .map(([key, part]) => {
      const nested = typeof part === "object" && part !== null && !Array.isArray(part);
      return `${key}=${nested ? `(${labelOf(part)})` : labelOf(part)}`;
    })
    .join(", ");
}

/** A cell as one line, for progress and logs: "granularity=layer, seed=0". */
export const nameOf = (cell: Cell): string => {
  const parts = Object.entries(cell).map(([axis, value]) => {
    const label = String(labelOf(value));
    return `${axis}=${label.includes("=") ? `(${label})` : label}`;
  });
  return parts.join(", ");
};

/** All combinations of the axes' values; the last axis varies fastest. */
export function grid(axes: Readonly<Record<string, readonly unknown[]>>): Cell[] {
  for (const [axis, values] of Object.entries(axes)) {
    if (Array.isArray(values) && values.length > 0) continue;
    throw new AutoqnnError(
      "bad-option",
      `Expected a list of at least one value for the axis "${axis}", received ${canonical(values)}.`,
      "Leave the axis out to take the plan's own value.",
    );
  }
  return Object.entries(axes).reduce<Cell[]>(
    (cells, [axis, values]) => cells.flatMap((cell) => values.map((value) => ({ ...cell, [axis]: value }))),
    [{}],
  );
}

/** Throws AutoqnnError `bad-option` for an empty list, a cell that is there twice, or a value that JSON cannot hold. */
export function checkCells(cells: readonly Cell[]): void {
  if (cells.length === 0) {
    throw new AutoqnnError(
      "bad-option",
      "Expected at least one cell, received none.",
      "Give axes with values, or cells.",
    );
  }
  const seen = new Set<string>();
  for (const cell of cells) {
    for (const [axis, value] of Object.entries(cell)) checkValue(axis, value);
    const key = keyOf(cell);
    if (seen.has(key)) {
      throw new AutoqnnError(
        "bad-option",
        `Expected every cell once, received ${nameOf(cell) || "the cell without axes"} twice.`,
        "Remove the value that is repeated.",
      );
    }
    seen.add(key);
  }
}

/** The name of an axis is a column's name in SQL and a property in rows. */
function checkValue(axis: string, value: unknown): void {
  if (!/^[A-Za-z]\w*$/.test(axis)) {
    throw new AutoqnnError(
      "bad-option",
      `Expected an axis named by letters, digits and _, received "${axis}".`,
      "Rename it: the name is that of a column.",
    );
  }
  if (!plain(value)) {
    throw new AutoqnnError(
      "bad-option",
      `Expected values that JSON can hold for the axis "${axis}", received ${typeof value === "object" ? canonical(value) : String(value)}.`,
      "Give a name or a number, and let a plan that is a function make of it what it stands for.",
    );
  }
}

function plain(value: unknown): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value)) return value.every(plain);
  if (typeof value !== "object") return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.values(value).every(plain);
}
