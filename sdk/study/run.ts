import { notebook } from "../display.js";
import { AutoqnnError } from "../errors.js";
import { Board } from "./board.js";
import type { Cell } from "./cell.js";
import type { Design } from "./design.js";
import type { Outcome } from "./file.js";
import { measure } from "./measure.js";
import { type OnCell, Watcher } from "./progress.js";
import { type Shard, shardOf } from "./shard.js";
import type { AnyPlan } from "./trail.js";

/** How a study is run. */
export interface RunOptions {
  /** Stops the study: the cell under way keeps its checkpoint. In a notebook, by default, the cell's interrupt. */
  readonly signal?: AbortSignal | undefined;
  /** Does only a part of the cells, into a file of its own. */
  readonly shard?: Shard | undefined;
  /** Called after every cell. By default a line on standard error, or a panel in a notebook. */
  readonly onCell?: OnCell | undefined;
}

/** Does all cells that the file at `path` lacks, one after another in this process. */
export async function runHere(design: Design, path: string, options: RunOptions): Promise<Board> {
  const signal = options.signal ?? notebook()?.signal ?? new AbortController().signal;
  const board = await Board.open(path, design, shardOf(design.cells, options.shard));
  try {
    const watcher = new Watcher(board, 1, options.onCell);
    const planOf = design.start(board.directory, { signal, onProgress: watcher.onProgress });
    for (const cell of board.pending) {
      const outcome = await outcomeOf(cell, planOf, design, signal);
      await board.record(cell, outcome);
      await watcher.finished(cell, outcome);
    }
    return board;
  } finally {
    await board.close();
  }
}

/** Runs one cell; what it throws becomes its outcome, but for the error by which it tells that it was stopped. */
export async function outcomeOf(
  cell: Cell,
  planOf: (cell: Cell) => Promise<AnyPlan>,
  { judging }: Pick<Design, "judging">,
  signal: AbortSignal,
): Promise<Outcome> {
  const started = performance.now();
  const ended = () => ({ seconds: (performance.now() - started) / 1000, finished: new Date().toISOString() });
  if (signal.aborted) throw stopped();
  try {
    const measured = await measure(await planOf(cell), judging, signal);
    return { state: "done", ...ended(), ...measured };
  } catch (error) {
    if (signal.aborted) throw stopped(error);
    return { state: "failed", ...ended(), ...failureOf(error) };
  }
}

/** An error as a row keeps it: its code, or its name where it has none, and its message. */
function failureOf(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof AutoqnnError) return { code: error.code, message: error.message };
  return error instanceof Error
    ? { code: error.name, message: error.message }
    : { code: "Error", message: String(error) };
}

export const stopped = (cause?: unknown): AutoqnnError =>
  new AutoqnnError(
    "aborted",
    "The study was stopped.",
    "Run it again with the same file: cells that are done stay, and the one under way goes on from its checkpoint.",
    { cause },
  );
