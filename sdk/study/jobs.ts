import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { AutoqnnError } from "../errors.js";
import { Board } from "./board.js";
import { type Cell, keyOf, nameOf } from "./cell.js";
import type { Design } from "./design.js";
import type { Outcome } from "./file.js";
import { Watcher } from "./progress.js";
import { Queue } from "./queue.js";
import { type RunOptions, stopped } from "./run.js";
import { shardOf } from "./shard.js";
import type { Answer, Order } from "./worker.js";

/** How a study is run by several processes. */
export interface JobsOptions extends RunOptions {
  /** How many at a time. The machine's cores are divided among them, unless AUTOQNN_THREADS says otherwise. */
  readonly jobs: number;
  /** Arguments of Node by which a process starts that calls `serveCells` for this study. */
  readonly command: readonly string[];
}

/** How long a stopped process may take to keep its checkpoint. */
const STOP_MILLISECONDS = 60_000;

/**
 * Does all cells that the file at `path` lacks, several at a time. This process alone writes the file; what the others print lies in
 * a log for each cell beside it. A process that dies makes its cell fail, and another takes its place.
 */
export async function runJobs(design: Design, path: string, options: JobsOptions): Promise<Board> {
  const board = await Board.open(path, design, shardOf(design.cells, options.shard));
  const { pending } = board;
  const jobs = Math.min(options.jobs, pending.length);
  const watcher = new Watcher(board, jobs, options.onCell);
  const queue = new Queue(pending, (cell) => design.places(cell).slice(0, 2).at(-1)!);
  const logs = `${path}.logs`;
  const finished = async (cell: Cell, outcome: Outcome): Promise<void> => {
    await board.record(cell, outcome);
    await watcher.finished(cell, outcome);
  };
  const lane = async (): Promise<void> => {
    const self = Symbol();
    let worker: Worker | undefined;
    try {
      for (let cell = queue.next(self); cell; cell = queue.next(self)) {
        if (options.signal?.aborted) throw stopped();
        worker = worker?.alive ? worker : await Worker.start(options.command, jobs);
        const log = join(
          logs,
          `${nameOf(cell)
            .replace(/[^\w=.+-]+/g, "_")
            .slice(0, 120)}-${keyOf(cell).slice(0, 6)}.log`,
        );
        await finished(cell, await worker.run(cell, log, options.signal));
      }
    } finally {
      await worker?.end();
    }
  };
  try {
    if (jobs > 0) await mkdir(logs, { recursive: true });
    const lanes = await Promise.allSettled(Array.from({ length: jobs }, lane));
    const failed = lanes.find((result) => result.status === "rejected");
    if (failed) throw failed.reason;
    return board;
  } finally {
    await board.close();
  }
}

/** A process that computes cells. */
class Worker {
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  #log: WriteStream | undefined;
  #cause: string | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(error.message));
      child.once("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    void this.#ended.then((cause) => {
      this.#cause = cause;
    });
    for (const stream of [child.stdout!, child.stderr!])
      stream.on("data", (chunk: Buffer) => (this.#log ?? process.stderr).write(chunk));
  }

  static async start(command: readonly string[], jobs: number): Promise<Worker> {
    const share = Math.max(1, Math.floor(availableParallelism() / jobs));
    const env = { ...process.env, AUTOQNN_THREADS: process.env.AUTOQNN_THREADS || String(share) };
    const child = spawn(process.execPath, command, { env, stdio: ["ignore", "pipe", "pipe", "ipc"] });
    const worker = new Worker(child);
    const ready = await worker.#answer();
    if (ready !== undefined) return worker;
    throw new AutoqnnError(
      "engine",
      `Expected a process for cells to start, received its end: ${worker.#cause}.`,
      "What it printed stands above.",
    );
  }

  get alive(): boolean {
    return this.#cause === undefined;
  }

  /** Computes a cell. Throws AutoqnnError `aborted` when the signal fires, once the checkpoint is kept. */
  async run(cell: Cell, log: string, signal?: AbortSignal): Promise<Outcome> {
    const started = performance.now();
    this.#log = createWriteStream(log, { flags: "a" });
    const stop = () => this.#send({ stop: true });
    signal?.addEventListener("abort", stop, { once: true });
    try {
      this.#send({ cell: keyOf(cell) });
      const answer = await this.#answer();
      if (answer && "outcome" in answer) return answer.outcome;
      if (signal?.aborted) throw stopped();
      return {
        state: "failed",
        code: "process",
        message: `Expected the process of the cell to finish it, received its end: ${this.#cause}. See ${log}.`,
        seconds: (performance.now() - started) / 1000,
        finished: new Date().toISOString(),
      };
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#log.end();
      this.#log = undefined;
    }
  }

  /** Lets the process go; kills it where it does not. */
  async end(): Promise<void> {
    this.#send({ stop: true });
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_MILLISECONDS);
    await this.#ended;
    clearTimeout(timer);
  }

  #send(order: Order): void {
    // It may have ended in this moment; then its end is the answer.
    if (this.#child.connected) this.#child.send(order, () => {});
  }

  /** The next message, or undefined where the process ends without one. */
  async #answer(): Promise<Answer | undefined> {
    const listening = new AbortController();
    const message = new Promise<Answer>((resolve) => {
      this.#child.once("message", resolve as (message: unknown) => void);
      listening.signal.addEventListener("abort", () => this.#child.removeAllListeners("message"));
    });
    const answer = await Promise.race([message, this.#ended.then(() => undefined)]);
    listening.abort();
    return answer;
  }
}
