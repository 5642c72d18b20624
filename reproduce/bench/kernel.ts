import { execFileSync } from "node:child_process";
import { BUILT, Client } from "../../test/kernel/client.js";

/**
 * How fast the built notebook kernel answers (`npm run build` first): medians, and the memory of its processes over 500 cells.
 *
 *   npx tsx reproduce/bench/kernel.ts
 */
async function main(): Promise<void> {
  const starts: number[] = [];
  for (let round = 0; round < 5; round++) {
    const begin = performance.now();
    const client = await Client.start(undefined, BUILT);
    await client.run("1 + 1");
    starts.push(performance.now() - begin);
    await client.stop();
  }
  tell("start to first result", starts);
  const client = await Client.start(undefined, BUILT);
  await client.run("schemes.clip");
  tell("empty cell", await times(20, async () => (await client.run("")).took));
  tell("1 + 1", await times(20, async () => (await client.run("1 + 1")).took));
  await interrupts(client);
  const before = memory(client);
  for (let cell = 0; cell < 500; cell++) await client.run(`const v${cell % 5} = ${cell}; v${cell % 5} + 1`);
  console.log(`memory of all processes: ${before} MB before 500 cells, ${memory(client)} MB after`);
  await client.stop();
}

/** Heartbeat and interrupt while a cell computes without giving way. */
async function interrupts(client: Client): Promise<void> {
  const [beats, answers, ends]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < 10; round++) {
    const begun = client.next((from, { content }) => from === "iopub" && content.text === "begun\n");
    const run = client.run('console.log("begun"); while (true) {}');
    await begun;
    beats.push(await client.beat());
    const begin = performance.now();
    await client.ask("control", "interrupt_request");
    answers.push(performance.now() - begin);
    await run;
    ends.push(performance.now() - begin);
  }
  tell("heartbeat while a cell loops", beats);
  tell("reply to an interrupt", answers);
  tell("interrupt to the end of the cell", ends);
}

async function times(count: number, measure: () => Promise<number>): Promise<number[]> {
  const all: number[] = [];
  for (let round = 0; round < count; round++) all.push(await measure());
  return all;
}

function tell(what: string, milliseconds: number[]): void {
  const sorted = milliseconds.toSorted((left, right) => left - right);
  const [median, most] = [sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
  console.log(`${what}: median ${median.toFixed(1)} ms, most ${most.toFixed(1)} ms`);
}

/** Resident megabytes of the kernel and what it started. */
function memory({ child }: Client): number {
  const of = (...select: string[]): number[] =>
    execFileSync("ps", ["-o", "rss=", ...select], { encoding: "utf8" })
      .trim()
      .split(/\s+/)
      .map(Number);
  const kilobytes = [...of("-p", String(child.pid)), ...of("--ppid", String(child.pid))];
  return Math.round(kilobytes.reduce((sum, each) => sum + each, 0) / 1000);
}

await main();
process.exit();
