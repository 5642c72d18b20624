import { AutoqnnError } from "../errors.js";
import type { Cell } from "./cell.js";

/** One of `count` parts of a study's cells, from 0. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/**
 * The cells of a shard: a contiguous part, so that cells which share a beginning are mostly in the same one. Parts differ by
 * one cell at most; all are disjoint and together the whole.
 */
export function shardOf(cells: readonly Cell[], shard?: Shard): readonly Cell[] {
  if (!shard) return cells;
  const { index, count } = shard;
  if (!Number.isInteger(count) || !Number.isInteger(index) || index < 0 || index >= count) {
    throw new AutoqnnError(
      "bad-option",
      `Expected a shard i/n with i from 0 to n - 1, received ${index}/${count}.`,
      "For three shards: 0/3, 1/3 and 2/3.",
    );
  }
  if (count > cells.length) {
    throw new AutoqnnError(
      "bad-option",
      `Expected at most ${cells.length} shards, one for each cell, received ${count}.`,
      "Take fewer.",
    );
  }
  const edge = (i: number): number => Math.round((i * cells.length) / count);
  return cells.slice(edge(index), edge(index + 1));
}
