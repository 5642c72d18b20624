import { InvalidArgumentError } from "commander";
import type { StudyShard } from "../index.js";
import { asCsv, type Cell, type Table, table } from "../table.js";
import { interruption } from "./interruption.js";

interface Run {
  readonly jobs: number;
  readonly shard?: StudyShard;
  readonly out?: string;
  /** This process computes cells for another one. */
  readonly worker?: true;
}

/** Runs the study that a file exports; run again, it goes on with what is missing. */
export async function runStudy(file: string, { jobs, shard, out, worker }: Run): Promise<void> {
  const { loadStudy, runHere, runJobs, serveCells, shardFile, resultOf } = await import("../study/index.js");
  const { design } = await loadStudy(file);
  const whole = out ?? defaultOut(file);
  const path = shard && !out ? shardFile(whole, shard.index, shard.count) : whole;
  if (worker) return serveCells(design, path);
  const options = { signal: interruption(), ...(shard && { shard }) };
  const command = [...process.execArgv, process.argv[1]!, "study", "run", file, "--out", path, "--worker"];
  const board =
    jobs > 1
      ? await runJobs(design, path, { ...options, jobs, command })
      : await runHere(design, path, options);
  console.log(String(resultOf(board.file)));
  console.log(`\nResults in ${path}.`);
}

export async function mergeStudy(files: readonly string[], { out }: { out: string }): Promise<void> {
  const { mergeStudies } = await import("../index.js");
  console.log(String(await mergeStudies(files, out)));
  console.log(`\nResults in ${out}.`);
}

export async function showStudy(file: string, { json, csv }: { json?: true; csv?: true }): Promise<void> {
  const { readStudy } = await import("../index.js");
  const result = await readStudy(file);
  if (json) return console.log(JSON.stringify(result.rows, undefined, 2));
  if (csv) return void process.stdout.write(asCsv(plain(result.rows)));
  console.log(String(result));
  if (result.pending > 0) console.log(`\n${result.pending} cells are still to be run.`);
}

export async function slurmStudy(
  file: string,
  { shards, out }: { shards: number; out?: string },
): Promise<void> {
  const { loadStudy, shardOf, slurmScript } = await import("../study/index.js");
  const { design } = await loadStudy(file);
  shardOf(design.cells, { index: 0, count: shards });
  console.log(slurmScript(file, out ?? defaultOut(file), shards));
}

/** "1/4" on the command line. */
export function parseShard(text: string): StudyShard {
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (index !== undefined && Number(index) < Number(count))
    return { index: Number(index), count: Number(count) };
  throw new InvalidArgumentError("Expected i/n with i from 0 to n - 1, such as 0/4.");
}

/** All columns of the rows, as they are. */
function plain(rows: readonly object[]): Table {
  const columns = Object.keys(rows[0] ?? {}).map((title) => ({
    title,
    value: (row: object) => {
      const value = row[title as keyof object] as Cell | boolean | null;
      return typeof value === "boolean" ? String(value) : (value ?? undefined);
    },
  }));
  return table(rows, columns);
}

/** Beside the file of the study. */
const defaultOut = (file: string): string => `${file.replace(/\.[cm]?[jt]s$/, "")}.sqlite`;
