import { type MimeBundle, notebook } from "../display.js";
import { bundleOf } from "../report/display.js";
import { frontier } from "../report/figures.js";
import { asHtml, asText } from "../table.js";
import type { Board } from "./board.js";
import { type Cell, nameOf } from "./cell.js";
import type { Outcome } from "./file.js";
import { frontierRows, resultTable } from "./rows.js";

/** Where a study stands after a cell. */
export interface StudyProgress {
  readonly cell: Cell;
  readonly outcome: Outcome;
  /** Cells that are done or have failed, of `cells`. */
  readonly finished: number;
  readonly cells: number;
  /** Seconds left, from the mean of the cells finished by this run. */
  readonly eta: number;
}

export type OnCell = (progress: StudyProgress) => void | Promise<void>;

/** Counts the cells of a run, and tells of each. */
export class Watcher {
  readonly #board: Board;
  readonly #jobs: number;
  readonly #onCell: OnCell;
  readonly #left: number;
  #seconds = 0;
  #count = 0;

  constructor(board: Board, jobs: number, onCell?: OnCell) {
    this.#board = board;
    this.#jobs = jobs;
    this.#left = board.pending.length;
    this.#onCell = onCell ?? (notebook() ? panel(board) : line);
  }

  async finished(cell: Cell, outcome: Outcome): Promise<void> {
    this.#count++;
    this.#seconds += outcome.seconds;
    const left = this.#left - this.#count;
    await this.#onCell({
      ...{ cell, outcome, cells: this.#board.size, finished: this.#board.size - left },
      eta: ((this.#seconds / this.#count) * left) / this.#jobs,
    });
  }
}

function line(progress: StudyProgress): void {
  const { cell, outcome, finished, cells } = progress;
  const place = `${String(finished).padStart(String(cells).length)}/${cells}`;
  process.stderr.write(`${place}  ${nameOf(cell)}: ${told(outcome)}, ${left(progress)}\n`);
}

function told(outcome: Outcome): string {
  const seconds = `${outcome.seconds.toFixed(1)} s`;
  if (outcome.state === "failed") return `failed (${outcome.code}): ${outcome.message}, after ${seconds}`;
  const { accuracy, packedBytes, floatingBytes } = outcome.metrics;
  return `accuracy ${(100 * accuracy).toFixed(2)} %, ${(packedBytes + floatingBytes).toLocaleString("en-US")} B, ${seconds}`;
}

function left({ eta }: StudyProgress): string {
  const seconds = Math.round(eta);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} left`;
}

/** One panel for the run, under the notebook's cell: the table of results, and the frontier as it grows. */
function panel(board: Board): OnCell {
  const id = `study-${process.pid}-${Date.now()}`;
  const shown = new Set<string>();
  const show = (part: string, bundle: MimeBundle): void => {
    const name = `${id}-${part}`;
    if (shown.has(name)) notebook()?.update(bundle, name);
    else notebook()?.display(bundle, name);
    shown.add(name);
  };
  return async (progress) => {
    const head = `${progress.finished} of ${progress.cells} cells, ${left(progress)}`;
    const table = resultTable(board.file);
    show("table", {
      "text/plain": `${head}\n${asText(table)}`,
      "text/html": `<p>${head}</p>\n${asHtml(table)}`,
    });
    const rows = frontierRows(board.file);
    if (rows.length > 0) show("frontier", await bundleOf(frontier(rows)));
  };
}
