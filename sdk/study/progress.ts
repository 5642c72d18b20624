import { notebook } from "../display.js";
import { asHtml, asText } from "../table.js";
import type { Board } from "./board.js";
import { type Cell, nameOf } from "./cell.js";
import type { Outcome } from "./file.js";
import { resultTable } from "./rows.js";

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

export type OnCell = (progress: StudyProgress) => void;

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

  finished(cell: Cell, outcome: Outcome): void {
    this.#count++;
    this.#seconds += outcome.seconds;
    const left = this.#left - this.#count;
    this.#onCell({
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

/** One panel for the run, under the notebook's cell. */
function panel(board: Board): OnCell {
  const id = `study-${process.pid}-${Date.now()}`;
  let shown = false;
  return (progress) => {
    const head = `${progress.finished} of ${progress.cells} cells, ${left(progress)}`;
    const table = resultTable(board.file);
    const bundle = {
      "text/plain": `${head}\n${asText(table)}`,
      "text/html": `<p>${head}</p>\n${asHtml(table)}`,
    };
    if (shown) notebook()?.update(bundle, id);
    else notebook()?.display(bundle, id);
    shown = true;
  };
}
