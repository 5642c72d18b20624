import type { FrontierRow } from "../report/frontier.js";
import { type Table, table } from "../table.js";
import { type Label, labelOf, nameOf } from "./cell.js";
import type { StudyFile } from "./file.js";
import type { Metrics } from "./measure.js";
import { METRICS } from "./schema.js";

/** The axes of a row, as text or numbers; null where a cell leaves the plan's own value. */
export type Axes<C> = {
  readonly [K in keyof C]-?: Label<NonNullable<C[K]>> | (undefined extends C[K] ? null : never);
};

/** A cell that is done, flat: its axes, then what was measured. */
export type Done<C> = Axes<C> & {
  readonly state: "done";
  readonly code: null;
  readonly message: null;
  readonly seconds: number;
  readonly finished: string;
} & Omit<Metrics, keyof C>;

/** A cell that failed: the same columns, without measurements. */
export type Failed<C> = Axes<C> & {
  readonly state: "failed";
  /** The error's code, or its name where it has none. */
  readonly code: string;
  readonly message: string;
  readonly seconds: number;
  readonly finished: string;
} & { readonly [K in keyof Omit<Metrics, keyof C>]: null };

/** A row of results: a plain object without nesting, as data frames take it. */
export type Row<C> = Done<C> | Failed<C>;

/** The rows of all cells that are done or have failed, in the file's order. */
export function rowsOf<C>({ definition, records }: StudyFile): Row<C>[] {
  return records.flatMap(({ cell, outcome }) => {
    if (!outcome) return [];
    const axes = Object.fromEntries(definition.axes.map((axis) => [axis, labelOf(cell[axis])]));
    const metrics = outcome.state === "done" ? outcome.metrics : undefined;
    const columns = Object.keys(METRICS) as (keyof Metrics)[];
    const row = {
      ...axes,
      state: outcome.state,
      ...Object.fromEntries(
        columns.filter((name) => !(name in axes)).map((name) => [name, metrics ? metrics[name] : null]),
      ),
      code: outcome.state === "failed" ? outcome.code : null,
      message: outcome.state === "failed" ? outcome.message : null,
      seconds: outcome.seconds,
      finished: outcome.finished,
    };
    return [Object.freeze(row) as unknown as Row<C>];
  });
}

/** The finished cells for the frontier of accuracy against size: cells that differ in their seed alone have one name. */
export function frontierRows({ definition, records }: StudyFile): FrontierRow[] {
  const named = definition.axes.filter((axis) => axis !== "seed");
  return records.flatMap(({ cell, outcome }) => {
    if (outcome?.state !== "done") return [];
    const { accuracy, packedBytes, floatingBytes, seed } = outcome.metrics;
    const name = nameOf(Object.fromEntries(named.map((axis) => [axis, cell[axis]]))) || "all cells";
    return [{ name, accuracy, bytes: packedBytes + floatingBytes, seed }];
  });
}

/** What one mostly wants to see of results: axes, accuracy, size, bits, time; a failure in its own column. */
export function resultTable(file: StudyFile): Table {
  const rows = rowsOf<Record<string, string>>(file);
  const done = <T>(read: (row: Done<Record<never, never>>) => T) => {
    return (row: (typeof rows)[number]): T | undefined =>
      row.state === "done" ? read(row as never) : undefined;
  };
  const failures = rows.some(({ state }) => state === "failed");
  return table(rows, [
    ...file.definition.axes.map((axis) => ({
      title: axis,
      digits: 0,
      value: (row: (typeof rows)[number]) => cellText(row[axis]),
    })),
    { title: "accuracy", unit: "%", digits: 2, value: done((row) => 100 * row.accuracy) },
    { title: "loss", unit: "nat", digits: 4, value: done((row) => row.loss) },
    { title: "size", unit: "B", value: done((row) => row.packedBytes + row.floatingBytes) },
    { title: "weights", unit: "bit", digits: 2, value: done((row) => row.weightBits) },
    { title: "inputs", unit: "bit", digits: 2, value: done((row) => row.activationBits) },
    { title: "time", unit: "s", digits: 1, value: (row) => row.seconds },
    ...(failures
      ? [{ title: "failure", wraps: true, value: (row: (typeof rows)[number]) => row.message ?? undefined }]
      : []),
  ]);
}

const cellText = (value: unknown): string | number =>
  typeof value === "number" ? value : String(value ?? "");
