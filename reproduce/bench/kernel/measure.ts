import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { Client, type Run } from "../../../test/kernel/client.js";
import { CELLS, makeProject } from "./cells.js";
import type { Peer } from "./peers.js";

/** Milliseconds that an answer is waited for. */
export const LIMIT = 5000;

/** Milliseconds from the start of a kernel to the reply of its first cell. */
export async function startUp({ command }: Peer): Promise<number> {
  const begin = performance.now();
  const client = await Client.start(undefined, command);
  await client.run("1 + 1");
  const took = performance.now() - begin;
  await client.stop();
  return took;
}

/** How an interrupt was answered while `code` ran: milliseconds, undefined where not within the limit. */
export interface Interrupted {
  readonly heartbeat: number | undefined;
  readonly end: number | undefined;
  /** Whether the next cell ran. */
  readonly goesOn: boolean;
}

/** Interrupts a cell in a kernel of its own, warmed up, since some do not come back. */
export async function interruptCell(peer: Peer, code: string): Promise<Interrupted> {
  const client = await Client.start(undefined, peer.command);
  try {
    await warmUp(client);
    const begun = client.next((from, { content }) => from === "iopub" && content.text === "begun\n");
    const run = client.run(`console.log("begun"); ${code}`);
    await within(begun);
    const heartbeat = await within(client.beat());
    const begin = performance.now();
    await peer.interrupt(client);
    const ended = await within(run);
    const end = ended && performance.now() - begin;
    if (ended) await afterFailure();
    const next = ended && (await within(client.run("1 + 1")));
    return { heartbeat, end, goesOn: next?.reply.status === "ok" };
  } finally {
    client.child.kill("SIGKILL");
    await client.stop();
  }
}

/** How the cells came out: milliseconds of each, undefined where it failed. */
export async function runCells({ command }: Peer): Promise<Record<string, number | undefined>> {
  const { project, folder } = await makeProject();
  const client = await Client.start(folder, command);
  const outcomes: Record<string, number | undefined> = {};
  await warmUp(client);
  for (const [what, code] of Object.entries(CELLS)) {
    const run = await within(client.run(code));
    outcomes[what] = run?.reply.status === "ok" ? run.took : undefined;
    if (run?.reply.status !== "ok") await afterFailure();
  }
  await client.stop();
  await rm(project, { recursive: true, force: true });
  return outcomes;
}

/** What a front end is told, by the messages of Jupyter's protocol. */
export function told(value: Run, typeError: Run): Record<string, string> {
  const types = (run: Run): string =>
    [...new Set(run.published.map(({ header }) => header.msg_type))]
      .filter((type) => type !== "status")
      .join();
  return {
    "a result comes as": types(value),
    "a type error comes as": types(typeError),
    "a type error names the line": /const text: string = 5/.test(
      JSON.stringify(typeError.published.map(({ content }) => content.traceback)),
    )
      ? "with its text"
      : /\d+:\d+/.test(typeError.stderr)
        ? "by number"
        : "no",
    "an execution count before the cell has ended": types(value).includes("execute_input") ? "yes" : "no",
  };
}

/** Resident megabytes of a kernel and what it started. */
export function memory({ child }: Client): number {
  const pid = String(child.pid);
  const list = execFileSync("ps", ["-o", "rss=", "--pid", pid, "--ppid", pid], { encoding: "utf8" });
  return (
    list
      .trim()
      .split(/\s+/)
      .reduce((sum, kilobytes) => sum + Number(kilobytes), 0) / 1000
  );
}

/** Waits until a kernel has done what it does once in the background: our compiler reads the types of the SDK. */
export async function warmUp(client: Client): Promise<void> {
  for (let turn = 0; turn < 3; turn++) {
    await client.run("0");
    await setTimeout(500);
  }
}

/** Waits as long as tslab leaves out what comes after a failure (200 ms), and more. */
export const afterFailure = (): Promise<void> => setTimeout(500);

/** The value, or undefined where it does not come within the limit. */
export async function within<T>(value: Promise<T>): Promise<T | undefined> {
  return Promise.race([value, setTimeout(LIMIT, undefined, { ref: false })]);
}
