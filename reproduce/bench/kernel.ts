import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Client } from "../../test/kernel/client.js";
import { compileCells } from "./kernel/compile.js";
import {
  afterFailure,
  interruptCell,
  LIMIT,
  memory,
  runCells,
  startUp,
  told,
  warmUp,
  within,
} from "./kernel/measure.js";
import { NAMES, type Name, PEERS } from "./kernel/peers.js";
import { watchMachine } from "./speed/machine.js";

const RESULTS = fileURLToPath(new URL("./results/kernel.md", import.meta.url));

type Row = Partial<Record<Name, string>>;

/** Those that can be started here; `absent` says why another cannot. */
const [present, absent] = await startable();

/**
 * How fast the built notebook kernel answers (`npm run build` first), beside tslab's own kernel, which takes its turns in the same
 * run through the same client. Medians over the turns; resident memory over many cells; what a front end is told; which cells fail.
 * Writes `results/kernel.md`.
 *
 *   npx tsx reproduce/bench/kernel.ts [--rounds 5] [--cells 500]
 */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: "string", default: "5" }, cells: { type: "string", default: "500" } },
  });
  const [rounds, cells] = [Number(values.rounds), Number(values.cells)];
  const machine = watchMachine();
  const rows = new Map<string, Row>();
  const note = (what: string, row: Row): void => {
    rows.set(what, row);
    console.log(what, row);
  };
  note("start to first result", times(await turns(rounds, (name) => startUp(PEERS[name]))));
  await answers(note, rounds, cells);
  const stuck = {
    "a loop": "while (true) {}",
    "a loop after an await": "await 1; while (true) {}",
    "a promise that never settles": "await new Promise(() => {})",
  };
  for (const [what, code] of Object.entries(stuck)) {
    const ends = await turns(rounds, (name) => interruptCell(PEERS[name], code));
    note(`heartbeat during ${what}`, times(map(ends, (each) => each.map(({ heartbeat }) => heartbeat))));
    note(`interrupt of ${what}`, times(map(ends, (each) => each.map(({ end }) => end))));
    note(
      `next cell runs after ${what}`,
      map(ends, (each) => `${each.filter(({ goesOn }) => goesOn).length} of ${rounds}`),
    );
  }
  const run = await turns(rounds, (name) => runCells(PEERS[name]));
  const compiled = await compileCells(rounds);
  const [cell, compile] = [table(run), table(compiled)];
  const { processor, cores, load } = machine();
  const text = [
    `By \`npx tsx reproduce/bench/kernel.ts\`: Node ${process.versions.node}, ${cores} cores of ${processor}, load ${load.toFixed(1)} from other work; ${rounds} turns each, medians (the most in brackets). "–": failed, or no answer in ${LIMIT / 1000} s.`,
    heading("measured", [...rows]),
    heading("cells by the kernels, ms", cell),
    heading("the same cells by the compilers alone, ms", compile),
  ].join("\n\n");
  await mkdir(dirname(RESULTS), { recursive: true });
  await writeFile(RESULTS, `${text}\n`);
  console.log(text);
}

async function startable(): Promise<[Name[], Map<Name, string>]> {
  const absent = new Map<Name, string>();
  for (const name of NAMES)
    await startUp(PEERS[name]).catch((error: Error) => absent.set(name, `not run: ${error.message}`));
  return [NAMES.filter((name) => !absent.has(name)), absent];
}

/** What one kernel of each answers, in turns. */
async function answers(note: (what: string, row: Row) => void, rounds: number, cells: number): Promise<void> {
  const clients = new Map<Name, Client>();
  for (const name of present) clients.set(name, await Client.start(undefined, PEERS[name].command));
  const run = (name: Name, code: string) => clients.get(name)!.run(code);
  for (const client of clients.values()) await warmUp(client);
  const wrong = "const text: string = 5;";
  for (const [what, code] of Object.entries({
    "empty cell": "",
    "`1 + 1`": "1 + 1",
    "type error shown": wrong,
  })) {
    const took = await turns(4 * rounds, async (name) => {
      const { took, reply } = await run(name, code);
      if (reply.status !== "ok") await afterFailure();
      return took;
    });
    note(what, times(took));
  }
  const facts = {} as Record<Name, Record<string, string>>;
  for (const name of present) facts[name] = told(await run(name, "1 + 1"), await run(name, wrong));
  await afterFailure();
  for (const what of Object.keys(facts.autoqnn))
    note(
      what,
      each((name) => facts[name][what]!),
    );
  const before = each((name) => memory(clients.get(name)!));
  const silent = new Map<Name, number>();
  for (let cell = 0; cell < cells; cell++)
    for (const name of present.filter((own) => !silent.has(own)))
      if (!(await within(run(name, `const v${cell % 5} = ${cell}; v${cell % 5} + 1`))))
        silent.set(name, cell + 1);
  const after = each((name) => memory(clients.get(name)!));
  note(
    `resident memory before and after ${cells} cells, MB`,
    each((name) => {
      const silence = silent.has(name) ? ` (no answer to cell ${silent.get(name)})` : "";
      return `${before[name].toFixed(0)}, ${after[name].toFixed(0)}${silence}`;
    }),
  );
  for (const [name, client] of clients) {
    if (silent.has(name)) client.child.kill("SIGKILL");
    await client.stop();
  }
}

/** Measures each peer in each round, one after the other. */
async function turns<T>(rounds: number, measure: (name: Name) => Promise<T>): Promise<Record<Name, T[]>> {
  const all = each((): T[] => []);
  for (let round = 0; round < rounds; round++)
    for (const name of present) all[name].push(await measure(name));
  return all;
}

const each = <T>(of: (name: Name) => T): Record<Name, T> =>
  Object.fromEntries(present.map((name) => [name, of(name)])) as Record<Name, T>;

const map = <T, U>(all: Record<Name, T>, of: (value: T) => U): Record<Name, U> =>
  each((name) => of(all[name]));

const times = (all: Record<Name, (number | undefined)[]>): Row =>
  map(all, (values) => `${middle(values, true)}`);

/** The median, and the most; a dash where most failed. */
function middle(values: readonly (number | undefined)[], most = false): string {
  const sorted = values
    .map((value) => value ?? Number.POSITIVE_INFINITY)
    .toSorted((left, right) => left - right);
  const text = (value: number): string => (Number.isFinite(value) ? value.toFixed(value < 10 ? 1 : 0) : "–");
  const median = text(sorted[Math.floor(sorted.length / 2)]!);
  return most ? `${median} ms (${text(sorted.at(-1)!)})` : median;
}

/** Rows by cell. */
const table = (all: Record<Name, Record<string, number | undefined>[]>): [string, Row][] =>
  Object.keys(all.autoqnn[0]!).map((what) => [
    what,
    map(all, (rounds) => middle(rounds.map((round) => round[what]))),
  ]);

const heading = (title: string, rows: readonly [string, Row][]): string =>
  [
    `| ${title} | ${NAMES.join(" | ")} |`,
    `|---|${NAMES.map(() => "---").join("|")}|`,
    ...rows.map(
      ([what, row]) => `| ${what} | ${NAMES.map((name) => row[name] ?? absent.get(name)).join(" | ")} |`,
    ),
  ].join("\n");

await main();
process.exit();
