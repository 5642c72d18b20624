import { copyFile, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import type { Database, JSValue, SQLiteValue } from "node-sqlite3-wasm";
import { AutoqnnError } from "../errors.js";
import { type Cell, keyOf, labelOf } from "./cell.js";
import type { Definition } from "./definition.js";
import type { Measured, Metrics, NodeRow } from "./measure.js";
import { APPLICATION, CELLS, METRICS, NODES, schema, VERSION } from "./schema.js";

/** What became of a cell. */
export type Outcome =
  | ({ readonly state: "done" } & Ended & Measured)
  | ({ readonly state: "failed"; readonly code: string; readonly message: string } & Ended);

interface Ended {
  /** Wall-clock seconds that this cell took by itself. */
  readonly seconds: number;
  /** ISO 8601. */
  readonly finished: string;
}

/** A cell, and what became of it unless it is pending. */
export interface CellRecord {
  readonly cell: Cell;
  readonly outcome?: Outcome;
}

/** All that a file of results holds. */
export interface StudyFile {
  readonly definition: Definition;
  readonly records: readonly CellRecord[];
}

/** Where a file lies until it is complete, beside its place; a leftover of a killed run is removed by the next. */
const staging = (path: string): string => `.${basename(path)}-partial-`;

/**
 * Writes a whole SQLite file beside its place and moves it there: a reader sees the old results or the new, at any moment and
 * without locks, whatever happens to the writer. Throws AutoqnnError `bad-file` where that cannot be done; what was there
 * stays.
 */
export async function writeResults(path: string, content: StudyFile): Promise<void> {
  const { Database } = (await import("node-sqlite3-wasm")).default;
  let directory: string | undefined;
  try {
    directory = await mkdtemp(join(dirname(path), staging(path)));
    const partial = join(directory, "study");
    const database = new Database(partial);
    try {
      fill(database, content);
    } finally {
      database.close();
    }
    const file = await open(partial, "r+");
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch (cause) {
    throw new AutoqnnError(
      "bad-file",
      `Expected to write results to ${path}, received ${(cause as Error).message}.`,
      "Give a file in a directory that can be written and has room. What is computed is kept in checkpoints.",
      { cause },
    );
  } finally {
    if (directory) await rm(directory, { recursive: true, force: true }).catch(() => {});
  }
}

/** Removes what a killed run has left of a file that it did not complete. */
export async function removePartial(path: string): Promise<void> {
  const directory = dirname(resolve(path));
  const names = await readdir(directory).catch(() => []);
  for (const name of names.filter((name) => name.startsWith(staging(path)))) {
    await rm(join(directory, name), { recursive: true, force: true });
  }
}

function fill(database: Database, { definition, records }: StudyFile): void {
  const insert = (table: string, columns: readonly string[]) =>
    database.prepare(
      `INSERT INTO ${table} (${columns.map((name) => `"${name}"`).join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    );
  // Nobody else knows the file yet: it needs no journal.
  database.exec("PRAGMA journal_mode = OFF");
  database.exec(`PRAGMA application_id = ${APPLICATION}`);
  database.exec(`PRAGMA user_version = ${VERSION}`);
  database.exec("BEGIN");
  database.exec(schema(definition.axes));
  const study = insert("study", ["name", "value"]);
  for (const [name, value] of Object.entries(definition)) study.run([name, JSON.stringify(value)]);
  const cells = insert("cells", ["cell", ...Object.keys(CELLS), ...definition.axes]);
  const metrics = insert("metrics", ["cell", ...Object.keys(METRICS)]);
  const nodes = insert("assignment", ["cell", ...Object.keys(NODES)]);
  for (const [index, { cell, outcome }] of records.entries()) {
    const failed = outcome?.state === "failed" ? outcome : undefined;
    const row: Record<keyof typeof CELLS, JSValue> = {
      key: keyOf(cell),
      json: JSON.stringify(cell),
      state: outcome?.state ?? "pending",
      code: failed?.code ?? null,
      message: failed?.message ?? null,
      seconds: outcome?.seconds ?? null,
      finished: outcome?.finished ?? null,
    };
    cells.run([index, ...Object.values(row), ...definition.axes.map((axis) => labelOf(cell[axis]))]);
    if (outcome?.state !== "done") continue;
    metrics.run([index, ...Object.keys(METRICS).map((name) => outcome.metrics[name as keyof Metrics])]);
    for (const node of outcome.assignment)
      nodes.run([index, ...Object.keys(NODES).map((name) => node[name as keyof NodeRow])]);
  }
  for (const statement of [study, cells, metrics, nodes]) statement.finalize();
  database.exec("COMMIT");
}

/**
 * Reads a file of results, or gives undefined where there is none.
 *
 * A copy is read: the engine of SQLite that is used here would put a lock beside the file, which a directory that is only
 * readable refuses.
 */
export async function readResults(path: string): Promise<StudyFile | undefined> {
  const { Database } = (await import("node-sqlite3-wasm")).default;
  const directory = await mkdtemp(join(tmpdir(), "autoqnn-study-"));
  try {
    const copy = join(directory, "study");
    await copyFile(path, copy);
    const database = new Database(copy, { readOnly: true });
    try {
      return contentOf(database, path);
    } finally {
      database.close();
    }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    if (cause instanceof AutoqnnError) throw cause;
    throw foreign(path, (cause as Error).message, cause);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

type Row = Readonly<Record<string, SQLiteValue>>;

function contentOf(database: Database, path: string): StudyFile {
  const pragma = (name: string): unknown => Object.values(database.get(`PRAGMA ${name}`) ?? {})[0];
  if (pragma("application_id") !== APPLICATION) throw foreign(path, "another SQLite file");
  const version = Number(pragma("user_version"));
  if (version !== VERSION) {
    throw new AutoqnnError(
      "bad-file",
      `Expected results of version ${VERSION} in ${path}, received version ${version}.`,
      version > VERSION ? "Update autoqnn to read them." : "Give a file that this version has written.",
    );
  }
  const rows = (sql: string): Row[] => database.all(sql) as Row[];
  const definition = Object.fromEntries(
    rows("SELECT name, value FROM study").map(({ name, value }) => [name, JSON.parse(String(value))]),
  ) as Definition;
  const metrics = new Map(rows("SELECT * FROM metrics").map(({ cell, ...row }) => [cell, row]));
  const nodes = new Map<SQLiteValue, Row[]>();
  for (const { cell, ...row } of rows("SELECT * FROM assignment ORDER BY rowid")) {
    const list = nodes.get(cell!);
    if (list) list.push(row);
    else nodes.set(cell!, [row]);
  }
  const records = rows("SELECT * FROM cells ORDER BY cell").map((row): CellRecord => {
    const cell = JSON.parse(String(row.json)) as Cell;
    const ended = { seconds: Number(row.seconds), finished: String(row.finished) };
    if (row.state === "pending") return { cell };
    if (row.state === "failed") {
      const failure = { code: String(row.code), message: String(row.message) };
      return { cell, outcome: { state: "failed", ...ended, ...failure } };
    }
    const measured = { metrics: metrics.get(row.cell!), assignment: nodes.get(row.cell!) ?? [] } as unknown;
    return { cell, outcome: { state: "done", ...ended, ...(measured as Measured) } };
  });
  return { definition, records };
}

function foreign(path: string, what: string, cause?: unknown): AutoqnnError {
  return new AutoqnnError(
    "bad-file",
    `Expected a file of a study's results in ${path}, received ${what}.`,
    "Give another file.",
    { cause },
  );
}
