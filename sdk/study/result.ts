import { DISPLAY, type Displayable, type MimeBundle } from "../display.js";
import { AutoqnnError } from "../errors.js";
import { type Figure, frontier } from "../report/figures.js";
import { asHtml, asText } from "../table.js";
import { type Effect, type EffectOptions, effectsOf, effectTable } from "./effects.js";
import { readResults, type StudyFile } from "./file.js";
import type { NodeRow } from "./measure.js";
import { frontierRows, type Row, resultTable, rowsOf } from "./rows.js";

/** The results of a study: plain rows for data frames, and what they tell. */
export interface StudyResult<C = Readonly<Record<string, string | number | boolean>>> extends Displayable {
  readonly axes: readonly (keyof C & string)[];
  /** One plain, flat object for each cell that is done or has failed. */
  readonly rows: readonly Row<C>[];
  /** Cells without a result yet. */
  readonly pending: number;
  /** What stands at every node of every finished cell's network; `row` is the position in `rows`. */
  readonly assignment: readonly (NodeRow & { readonly row: number })[];
  /**
   * How an axis acts on a metric, by default the accuracy: differences between each two of its levels over cells that differ
   * in nothing else, their mean, standard error and confidence interval.
   *
   * @throws AutoqnnError `bad-option` for an axis or a metric that the rows have not.
   * @example
   * result.effects("granularity"); // [{ from: "model", to: "layer", n: 6, mean: 0.012, low: 0.004, high: 0.020, ... }]
   * result.effects("seed", "packedBytes", { confidence: 0.9 });
   */
  effects(axis: keyof C & string, metric?: string, options?: EffectOptions): readonly Effect[];
  /**
   * Accuracy against size of all finished cells, for plotly; those that differ in their seed alone are one point with its
   * spread.
   *
   * @throws AutoqnnError `bad-option` while no cell is done.
   */
  frontier(): Figure;
  /** The table of cells, then the effects of all axes but the seed on the accuracy. */
  toString(): string;
}

/** The results in a file's content. */
export function resultOf<C>(file: StudyFile): StudyResult<C> {
  const rows = Object.freeze(rowsOf<C>(file));
  const { axes } = file.definition;
  const finished = file.records.flatMap(({ outcome }) => (outcome ? [outcome] : []));
  const effects = (axis: string, metric = "accuracy", options: EffectOptions = {}) =>
    effectsOf(rows as readonly Row<object>[], axes, axis, metric, options);
  const tables = () => {
    const all = axes.filter((axis) => axis !== "seed").flatMap((axis) => effects(axis));
    return [resultTable(file), ...(all.length > 0 ? [effectTable(all)] : [])];
  };
  const text = (): string =>
    tables()
      .map((table) => asText(table))
      .join("\n\n");
  const methods = {
    effects,
    frontier: () => frontier(frontierRows(file)),
    toString: text,
    [DISPLAY]: (): MimeBundle => ({
      "text/plain": text(),
      "text/html": tables().map(asHtml).join("\n"),
    }),
  };
  const values = {
    axes,
    rows,
    pending: file.records.length - finished.length,
    assignment: Object.freeze(
      finished.flatMap((outcome, row) =>
        outcome.state === "done" ? outcome.assignment.map((node) => ({ row, ...node })) : [],
      ),
    ),
  };
  const hidden = Reflect.ownKeys(methods).map((key) => [
    key,
    { value: methods[key as keyof typeof methods] },
  ]);
  return Object.freeze(
    Object.defineProperties(values, Object.fromEntries(hidden)),
  ) as unknown as StudyResult<C>;
}

/**
 * Reads the results of a study, finished or not, also while it runs.
 *
 * The file is SQLite: other tools read it as well, for example pandas with
 * `pandas.read_sql("SELECT * FROM results", sqlite3.connect("study.sqlite"))`.
 *
 * @throws AutoqnnError `bad-file` where there is no such file, or one of something else, or of a newer version.
 * @example
 * const result = await readStudy("granularity.sqlite");
 * const frame = new dfd.DataFrame(result.rows);
 */
export async function readStudy(path: string): Promise<StudyResult> {
  const file = await readResults(path);
  if (file) return resultOf(file);
  throw new AutoqnnError(
    "bad-file",
    `Expected results in ${path}, received no such file.`,
    "Run the study first.",
  );
}
