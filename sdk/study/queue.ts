import type { Cell } from "./cell.js";

/**
 * Hands cells to several workers so that those which share a beginning go to the same one, one after another, as long as there
 * is enough for all.
 */
export class Queue {
  readonly #groups: Cell[][];
  /** The group that a worker is at. */
  readonly #taken = new Map<unknown, Cell[]>();

  /** @param groupOf what cells have in common that are to stay together */
  constructor(cells: readonly Cell[], groupOf: (cell: Cell) => string) {
    const groups = new Map<string, Cell[]>();
    for (const cell of cells) groups.set(groupOf(cell), [...(groups.get(groupOf(cell)) ?? []), cell]);
    this.#groups = [...groups.values()];
  }

  /** The next cell for `worker`: of its group, else the first of one that nobody is at, else the last of the longest. */
  next(worker: unknown): Cell | undefined {
    const own = this.#taken.get(worker)?.shift();
    if (own) return own;
    const taken = new Set(this.#taken.values());
    const free = this.#groups.find((group) => group.length > 0 && !taken.has(group));
    if (free) {
      this.#taken.set(worker, free);
      return free.shift();
    }
    const longest = this.#groups.reduce<Cell[]>(
      (best, group) => (group.length > best.length ? group : best),
      [],
    );
    return longest.pop();
  }
}
