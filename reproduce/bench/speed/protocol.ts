import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";

/** A worker's first line: it has built its network and warmed up. */
export interface Ready {
  /** Bytes of resident memory before the first step. */
  readonly before: number;
  /** Milliseconds of the first steps, those that trace and compile among them. */
  readonly warmUp: readonly number[];
  readonly versions: Readonly<Record<string, string>>;
  /** The number of candidates at the node that has most, of ours. */
  readonly candidates?: number;
}

/** A worker's answer to "run N". */
export interface Ran {
  /** Milliseconds of each step. */
  readonly steps: readonly number[];
  /** Bytes of resident memory at most, since the process began. */
  readonly peak: number;
  /** Share of the steps' time in which JavaScript ran, of ours. */
  readonly javascript?: number;
}

/** How a worker is started. */
export interface Launch {
  readonly command: string;
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

const PATIENCE_SECONDS = 900;

/** The driver's end of one worker: a process that answers every line with a line of JSON. */
export class Worker {
  private readonly lines: AsyncIterator<string>;
  private complaint = "";

  private constructor(
    private readonly child: ChildProcessByStdio<Writable, Readable, Readable>,
    reader: Interface,
  ) {
    this.lines = reader[Symbol.asyncIterator]();
    child.stderr.on("data", (chunk: Buffer) => {
      this.complaint = (this.complaint + chunk.toString()).slice(-4000);
    });
    // A command to a process that has ended is answered by the end of its lines.
    child.stdin.on("error", () => {});
    child.on("error", (error) => {
      this.complaint = error.message;
    });
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Starts a worker and waits until it is ready; throws an Error with its last words if it ends before. */
  static async start({
    command,
    arguments: given,
    environment,
  }: Launch): Promise<{ worker: Worker; ready: Ready }> {
    const child = spawn(command, given, {
      env: { ...process.env, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const worker = new Worker(child, createInterface({ input: child.stdout }));
    return { worker, ready: (await worker.answer()) as Ready };
  }

  /** Runs `count` steps. */
  async run(count: number): Promise<Ran> {
    this.child.stdin.write(`run ${count}\n`);
    return (await this.answer()) as Ran;
  }

  /** Ends the process and waits for its end. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null || this.child.pid === undefined)
      return;
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.stdin.end();
    const impatient = setTimeout(() => this.child.kill("SIGKILL"), 5000);
    await ended;
    clearTimeout(impatient);
  }

  private async answer(): Promise<Ready | Ran> {
    const impatient = setTimeout(() => {
      this.complaint = `no answer for ${PATIENCE_SECONDS} s`;
      this.child.kill("SIGKILL");
    }, PATIENCE_SECONDS * 1000);
    const { value, done } = await this.lines.next();
    clearTimeout(impatient);
    if (!done) return JSON.parse(value);
    throw new Error(lastWords(this.complaint) ?? "the process ended without a word");
  }
}

/** The line that names the error where there is one: Python says it last, Node before the stack and its version. */
function lastWords(complaint: string): string | undefined {
  const lines = complaint.split("\n").filter((line) => line.trim() !== "");
  return lines.findLast((line) => /^\w*(Error|Exception)\b/.test(line)) ?? lines.at(-1);
}
