import { AutoqnnError } from "../errors.js";
import { keyOf } from "./cell.js";
import { checkSame } from "./definition.js";
import { type CellRecord, readResults, type StudyFile, writeResults } from "./file.js";
import { lock } from "./lock.js";
import { resultOf, type StudyResult } from "./result.js";

/**
 * Puts the results of several files of one study, such as its shards, into one. Of a cell that is in several, a result
 * counts more than a failure, a failure more than none, and of equals the first.
 *
 * @throws AutoqnnError `bad-file` where a file is missing or of another study, or `out` cannot be written.
 * @example
 * await mergeStudies(["a.sqlite", "b.sqlite"], "all.sqlite");
 */
export async function mergeStudies(paths: readonly string[], out: string): Promise<StudyResult> {
  const files: StudyFile[] = [];
  for (const path of paths) {
    const file = await readResults(path);
    if (!file) {
      throw new AutoqnnError(
        "bad-file",
        `Expected results in ${path}, received no such file.`,
        "Give the files of all shards.",
      );
    }
    if (files[0]) checkSame(path, file.definition, files[0].definition);
    files.push(file);
  }
  if (!files[0])
    throw new AutoqnnError("bad-option", "Expected files to merge, received none.", "Give at least one.");
  const merged = { definition: files[0].definition, records: best(files.flatMap(({ records }) => records)) };
  const unlock = await lock(out);
  try {
    await writeResults(out, merged);
  } finally {
    await unlock();
  }
  return resultOf(merged);
}

/** The best known state of every cell, in the order in which cells first occur. */
function best(records: readonly CellRecord[]): CellRecord[] {
  const rank = ({ outcome }: CellRecord): number => (outcome ? (outcome.state === "done" ? 2 : 1) : 0);
  const found = new Map<string, CellRecord>();
  for (const record of records) {
    const key = keyOf(record.cell);
    const known = found.get(key);
    if (!known || rank(record) > rank(known)) found.set(key, record);
  }
  return [...found.values()];
}
