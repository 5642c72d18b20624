import { AutoqnnError } from "../errors.js";
import type { Metrics, NodeRow } from "./measure.js";

/** Marks a SQLite file as one of ours ("AQST"), and the version of the schema below. */
export const APPLICATION = 0x41515354;
export const VERSION = 1;

/** The columns of the table `metrics`; the rows of results have the same names. */
export const METRICS: Readonly<Record<keyof Metrics, "REAL" | "INTEGER" | "TEXT">> = {
  accuracy: "REAL",
  loss: "REAL",
  examples: "INTEGER",
  split: "TEXT",
  validationAccuracy: "REAL",
  validationLoss: "REAL",
  packedBytes: "INTEGER",
  floatingBytes: "INTEGER",
  fp32Bytes: "INTEGER",
  weightBits: "REAL",
  activationBits: "REAL",
  bitOperations: "REAL",
  memoryBytes: "INTEGER",
  searchSeconds: "REAL",
  learnSeconds: "REAL",
  tuneSeconds: "REAL",
  searched: "TEXT",
  rounding: "TEXT",
  seed: "INTEGER",
  library: "TEXT",
  engine: "TEXT",
  device: "TEXT",
  threads: "INTEGER",
};

/** The columns of the table `assignment`, behind the cell's number. */
export const NODES: Readonly<Record<keyof NodeRow, "INTEGER" | "TEXT">> = {
  node: "TEXT",
  kind: "TEXT",
  scheme: "TEXT",
  bits: "INTEGER",
  elements: "INTEGER",
};

/** The columns of the table `cells`, before those of the axes. `json` holds the axes' values in full. */
export const CELLS = {
  key: "TEXT",
  json: "TEXT",
  state: "TEXT",
  code: "TEXT",
  message: "TEXT",
  seconds: "REAL",
  finished: "TEXT",
} as const;

/**
 * Throws AutoqnnError `bad-option` for axes that have the name of a column, or one name but for its case: SQL would take
 * them for the same. An axis `seed` is that of the metrics.
 */
export function checkNames(axes: readonly string[]): void {
  const taken = new Set(
    ["cell", ...Object.keys(CELLS), ...Object.keys(METRICS)].map((name) => name.toLowerCase()),
  );
  taken.delete("seed");
  for (const axis of axes) {
    if (taken.has(axis.toLowerCase())) {
      throw new AutoqnnError(
        "bad-option",
        `Expected an axis with a name of its own, received "${axis}", which is a column of the results.`,
        "Rename the axis.",
      );
    }
    taken.add(axis.toLowerCase());
  }
}

const quoted = (name: string): string => `"${name}"`;

/**
 * The tables of a file of results. `study` has one row, which says what makes results comparable; `cells` a row for each
 * cell, with the values of its axes as text or numbers; `metrics` and `assignment` (one row a node) those of finished cells.
 * The view `results` joins what one mostly wants: axes, state, and all metrics.
 */
export function schema(axes: readonly string[]): string {
  const columns = (types: Readonly<Record<string, string>>): string =>
    Object.entries(types)
      .map(([name, type]) => `${quoted(name)} ${type}`)
      .join(", ");
  const metrics = Object.keys(METRICS).filter((name) => !axes.some((axis) => axis.toLowerCase() === name));
  const shown = [
    "c.cell",
    ...axes.map((axis) => `c.${quoted(axis)}`),
    "c.state",
    ...metrics.map((name) => `m.${quoted(name)}`),
    ...["code", "message", "seconds", "finished"].map((name) => `c.${name}`),
  ];
  return `
    CREATE TABLE study (name TEXT, value TEXT);
    CREATE TABLE cells (cell INTEGER PRIMARY KEY, ${[columns(CELLS), ...axes.map(quoted)].join(", ")});
    CREATE TABLE metrics (cell INTEGER PRIMARY KEY REFERENCES cells, ${columns(METRICS)});
    CREATE TABLE assignment (cell INTEGER REFERENCES cells, ${columns(NODES)}, PRIMARY KEY (cell, node));
    CREATE VIEW results AS SELECT ${shown.join(", ")} FROM cells c LEFT JOIN metrics m USING (cell);
  `;
}
