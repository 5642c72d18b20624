import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Cell, keyOf } from "./cell.js";
import { checkSame, type Definition } from "./definition.js";
import type { Design } from "./design.js";
import {
  type CellRecord,
  type Outcome,
  readResults,
  removePartial,
  type StudyFile,
  writeResults,
} from "./file.js";
import { lock } from "./lock.js";

/**
 * The state of a study that runs: what its file holds, and what is left to do. One process has it, and writes the file anew
 * after every cell.
 */
export class Board {
  /** Where cells keep checkpoints. */
  readonly directory: string;
  readonly #path: string;
  readonly #design: Design;
  readonly #definition: Definition;
  readonly #own: ReadonlySet<string>;
  readonly #records: Map<string, CellRecord>;
  readonly #unlock: () => Promise<void>;
  /** The last of the changes to the file, which are made one after another. */
  #changes: Promise<void> = Promise.resolve();

  private constructor(
    path: string,
    design: Design,
    own: readonly Cell[],
    file: StudyFile,
    unlock: () => Promise<void>,
  ) {
    this.directory = checkpointsOf(path);
    this.#path = path;
    this.#design = design;
    this.#definition = file.definition;
    this.#own = new Set(own.map(keyOf));
    this.#records = new Map(file.records.map((record) => [keyOf(record.cell), record]));
    this.#unlock = unlock;
  }

  /**
   * Takes the file for this process, makes it where there is none, and adds the cells that it lacks.
   *
   * @param own the cells that this process is to do; those of the design that are not among them stay out of the file
   * @throws AutoqnnError `bad-file` for a file of something else, one that another process writes, or one that cannot be
   * written: before any work is done.
   */
  static async open(path: string, design: Design, own: readonly Cell[]): Promise<Board> {
    const definition = await design.definition();
    const unlock = await lock(path);
    try {
      const before = await readResults(path);
      if (before) checkSame(path, before.definition, definition);
      await removePartial(path);
      const known = new Set(before?.records.map(({ cell }) => keyOf(cell)));
      const added = own.filter((cell) => !known.has(keyOf(cell))).map((cell) => ({ cell }));
      const file = { definition, records: [...(before?.records ?? []), ...added] };
      await writeResults(path, file);
      return new Board(path, design, own, file, unlock);
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** The cells that this process is to do and has not, in the design's order. Those that failed are tried again. */
  get pending(): Cell[] {
    return this.#design.cells.filter((cell) => {
      const key = keyOf(cell);
      return this.#own.has(key) && this.#records.get(key)!.outcome?.state !== "done";
    });
  }

  /** How many cells this process is to do, those that are done among them. */
  get size(): number {
    return this.#own.size;
  }

  get file(): StudyFile {
    const own = [...this.#records.values()].filter(({ cell }) => this.#own.has(keyOf(cell)));
    return { definition: this.#definition, records: own };
  }

  /** Keeps what became of a cell, then removes the checkpoints that no cell needs any more. */
  record(cell: Cell, outcome: Outcome): Promise<void> {
    this.#records.set(keyOf(cell), { cell, outcome });
    const change = this.#changes.then(() => this.#keep(cell, outcome));
    this.#changes = change.catch(() => {});
    return change;
  }

  async #keep(cell: Cell, outcome: Outcome): Promise<void> {
    await writeResults(this.#path, { definition: this.#definition, records: [...this.#records.values()] });
    const left = this.pending;
    if (left.length === 0) return rm(this.directory, { recursive: true, force: true });
    if (outcome.state !== "done") return;
    const needed = new Set(left.flatMap((other) => this.#design.places(other)));
    for (const place of this.#design.places(cell).filter((name) => !needed.has(name)))
      await rm(join(this.directory, place), { recursive: true, force: true });
  }

  close(): Promise<void> {
    return this.#unlock();
  }
}

export const checkpointsOf = (path: string): string => `${path}.checkpoints`;
