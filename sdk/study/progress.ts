import { type MimeBundle, notebook } from "../display.js";
import { bundleOf } from "../report/display.js";
import { frontier } from "../report/figures.js";
import { asHtml, asText } from "../table.js";
import type { OnProgress, Progress } from "../train/progress.js";
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
  /** Where stages show their progress, where that is part of what this shows; else where they do by themselves. */
  readonly onProgress: OnProgress | undefined;
  #seconds = 0;
  #count = 0;

  constructor(board: Board, jobs: number, onCell?: OnCell) {
    this.#board = board;
    this.#jobs = jobs;
    this.#left = board.pending.length;
    const shown = !onCell && notebook() ? panel(board) : undefined;
    this.#onCell = onCell ?? shown?.onCell ?? line;
    this.onProgress = shown?.onProgress;
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

/** A stage's line is drawn at most so often. */
const LEAST_MILLISECONDS = 250;

/**
 * One panel for the run, under the notebook's cell: the table of results, the frontier as it grows, and a line for the stage
 * under way. (A live panel for each stage of each cell would bury them.)
 */
function panel(board: Board): { readonly onCell: OnCell; readonly onProgress: OnProgress } {
  const id = `study-${process.pid}-${Date.now()}`;
  const shown = new Set<string>();
  const show = (part: string, bundle: MimeBundle): void => {
    const name = `${id}-${part}`;
    if (shown.has(name)) notebook()?.update(bundle, name);
    else notebook()?.display(bundle, name);
    shown.add(name);
  };
  let next = 0;
  const onProgress = ({ stage, step, steps, loss, accuracy }: Progress): void => {
    const now = performance.now();
    if (now < next) return;
    next = now + LEAST_MILLISECONDS;
    const measured = `loss ${loss.toFixed(3)}, accuracy ${(100 * accuracy).toFixed(1)} %`;
    show("stage", { "text/plain": `${stage}: step ${step} of ${steps}, ${measured}` });
  };
  const onCell = async (progress: StudyProgress): Promise<void> => {
    const head = `${progress.finished} of ${progress.cells} cells, ${left(progress)}`;
    const table = resultTable(board.file);
    show("table", {
      "text/plain": `${head}\n${asText(table)}`,
      "text/html": `<p>${head}</p>\n${asHtml(table)}`,
    });
    const rows = frontierRows(board.file);
    if (rows.length > 0) show("frontier", await bundleOf(frontier(rows)));
    if (progress.finished === progress.cells && shown.has(`${id}-stage`))
      show("stage", { "text/plain": "All cells have run." });
  };
  return { onCell, onProgress };
}
