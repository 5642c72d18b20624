import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { asMarkdown, type Table, table } from "../../../sdk/table.js";
import type { Outcome, Timing, Turns } from "./interleave.js";
import type { Device, Machine } from "./machine.js";
import { METHODS } from "./methods.js";
import { NETWORKS, title } from "./networks.js";
import { reached, TARGETS, type Target, verdict } from "./targets.js";

/** What one run of the table measured: outcomes by network and method. */
export interface Results {
  readonly date: string;
  readonly device: Device;
  readonly machine: Machine;
  readonly turns: Turns;
  readonly networks: Readonly<Record<string, Readonly<Record<string, Outcome>>>>;
}

/** Writes whole or not at all. */
export async function write(file: string, value: object): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.part`, `${JSON.stringify(value, rounded, 1)}\n`);
  await rename(`${file}.part`, file);
}

/** What `write` left, or undefined. */
export async function read<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** Five digits are more than a time on any machine is good for. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;

const measured = (outcome: Outcome | undefined): Timing | undefined =>
  outcome && "median" in outcome ? outcome : undefined;

const MEGABYTE = 1e6;

/** One table a network: every method's step against our FP32. */
export function timeTable(outcomes: Readonly<Record<string, Outcome>>): Table {
  const base = measured(outcomes.fp32)?.median;
  const rows = METHODS.flatMap((method) => {
    const outcome = outcomes[method.id];
    return outcome ? [{ ...method, outcome, timing: measured(outcome) }] : [];
  });
  return table(rows, [
    {
      title: "method",
      value: ({ title, timing }) =>
        (timing?.candidates ?? 0) > 1 ? `${title} (${timing!.candidates} candidates)` : title,
    },
    {
      title: "step",
      unit: "ms",
      digits: 1,
      value: ({ outcome, timing }) => timing?.median ?? `not run: ${(outcome as { notRun: string }).notRun}`,
    },
    {
      title: "quartiles",
      unit: "ms",
      value: ({ timing }) => timing?.quartiles.map((value) => value.toFixed(1)).join(" to "),
    },
    { title: "/ ours FP32", digits: 2, value: ({ timing }) => timing && base && timing.median / base },
    { title: "steps", value: ({ timing }) => timing?.steps },
    {
      title: "compile",
      unit: "s",
      digits: 1,
      value: ({ timing }) => timing && timing.compile / 1000,
    },
    {
      title: "memory",
      unit: "MB",
      digits: 0,
      value: ({ timing }) => timing && (timing.peak - timing.before) / MEGABYTE,
    },
    {
      title: "process",
      unit: "MB",
      digits: 0,
      value: ({ timing }) => timing && timing.peak / MEGABYTE,
    },
    {
      title: "GPU memory",
      unit: "MB",
      digits: 0,
      value: ({ timing }) => timing?.device && timing.device / MEGABYTE,
    },
    {
      title: "JavaScript",
      unit: "%",
      digits: 1,
      value: ({ timing }) => timing?.javascript && 100 * timing.javascript,
    },
  ]);
}

/** Every target with what each network reached; targets are of processors. */
export function targetTable(results: Results): Table {
  const networks = NETWORKS[results.device].filter(({ id }) => results.networks[id]);
  const shown = ({ unit }: Target, value: number): string =>
    unit === "x" ? value.toFixed(2) : `${value.toFixed(1)} ${unit}`;
  return table(TARGETS, [
    { title: "figure", value: (target) => target.title },
    { title: "must reach", value: (target) => shown(target, target.must) },
    { title: "aim", value: (target) => shown(target, target.aim) },
    ...networks.map((network) => ({
      title: title(network),
      value: (target: Target) => {
        const value = reached(target, results.networks[network.id]!);
        const word = verdict(target, value);
        return value === undefined ? word : `${shown(target, value)} (${WORDS[word]})`;
      },
    })),
  ]);
}

const WORDS = {
  aim: "aim reached",
  must: "reached",
  short: "short",
  "not measured": "not measured",
} as const;

/** What the numbers come from, a sentence each. */
export function notes({ machine, turns, date }: Pick<Results, "machine" | "turns" | "date">): string[] {
  const { gpu, processor, cores, memory, system, load, stolen } = machine;
  return [
    `${gpu ? `${gpu}; ` : ""}${processor}, ${cores} cores, ${(memory / 1e9).toFixed(0)} GB, ${system}; ${date.slice(0, 10)}. Every worker has ${cores} threads. Load in the minute before: ${load.toFixed(2)}; taken by other machines on the host during the run: ${(100 * stolen).toFixed(1)} %.`,
    `Median over all steps of ${turns.rounds} rounds; in each round every method has a turn of up to ${turns.steps} steps or ${turns.seconds} s, in an order drawn anew.`,
    "compile: what the first steps took beyond the others; memory: resident memory that the steps add to the process, at most, tracing and compiling included; JavaScript: share of a step in which the event loop is busy.",
  ];
}

/** Everything as Markdown. */
export function text(results: Results): string {
  const tables = NETWORKS[results.device].flatMap((network) => {
    const outcomes = results.networks[network.id];
    return outcomes ? [`### ${title(network)}\n\n${asMarkdown(timeTable(outcomes))}`] : [];
  });
  const targets = results.device === "cpu" ? [`### Figures\n\n${asMarkdown(targetTable(results))}`] : [];
  return [notes(results).join("\n"), ...tables, ...targets].join("\n\n");
}
