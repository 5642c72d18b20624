import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Writable } from "node:stream";
import { interruptByte, type Notice, type Program, type Request } from "./cells/protocol.js";
import { programPath } from "./compiler.js";
import { Output, type OutputHandlers, type StreamName } from "./output.js";

type Ready = Extract<Notice, { kind: "ready" }>;
type Ended = Extract<Notice, { kind: "ended" }>;

/** An interrupt came before the process was ready: nothing of the cell has run. */
type Interrupted = { readonly kind: "interrupted" };

/** The process ended before it answered: `how` as in "exit code 3" or "signal SIGSEGV". */
type Died = { readonly kind: "died"; readonly how: string };

type Answer = Ready | Ended | Interrupted | Died;

/** What cells say while they run. */
export type CellNotice = Exclude<Notice, Ready | Ended | { kind: "started" }>;

/** What happens in the process of the cells, beside the end of a cell. */
export interface CellsHandlers {
  text(name: StreamName, text: string): void;
  notice(notice: CellNotice): void;
  /** The process ended while no cell ran. */
  died(how: string): void;
}

/** Milliseconds that what a dead process printed is waited for: something that it started may hold its streams open. */
const DRAIN = 500;

/** The process that runs the cells. A fresh one is started whenever it ends. */
export class Cells {
  #process!: ChildProcess;
  #output!: Output;
  /** Takes the answer that is waited for. */
  #answer: ((answer: Answer) => void) | undefined;
  #preparing = false;
  #cell = 0;
  #started = false;
  #stopped = false;

  constructor(readonly handlers: CellsHandlers) {
    this.#start();
  }

  /** Waits until the process can run another cell: it may have to load the SDK. An interrupt ends the wait, not the loading. */
  prepare(): Promise<Ready | Interrupted | Died> {
    if (!this.#process.connected) this.#start();
    this.#cell += 1;
    return this.#ask({ kind: "prepare", cell: this.#cell });
  }

  /** Runs a cell in the process that is prepared. */
  run(program: Program, allowInput: boolean): Promise<Ended | Died> {
    return this.#ask({ kind: "run", cell: this.#cell, program, allowInput });
  }

  send(request: Request): void {
    // A process that is about to end may not take it; its end is told then.
    this.#process.send(request, () => undefined);
  }

  /** Interrupts the cell that is prepared or runs, also while it computes, and what an earlier one left behind that computes. */
  interrupt(): void {
    if (!this.#answer) return;
    (this.#process.stdio[4] as Writable).write(Buffer.of(interruptByte(this.#cell)));
    if (this.#preparing) this.#settle({ kind: "interrupted" });
  }

  /** Ends the process and all that it started. */
  stop(): void {
    this.#stopped = true;
    killGroup(this.#process);
  }

  #ask<T extends Answer>(request: Request): Promise<T> {
    return new Promise((resolve) => {
      this.#answer = resolve as (answer: Answer) => void;
      this.#preparing = request.kind === "prepare";
      this.send(request);
    });
  }

  #start(): void {
    const token = randomBytes(8).toString("hex");
    const child = fork(programPath("cells"), [], {
      // Its own group, which is ended as a whole; the last pipe tells of interrupts, and by its end that the kernel is gone.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc", "pipe"],
      serialization: "advanced",
      execArgv: [...process.execArgv, "--disable-warning=ExperimentalWarning"],
      env: { ...process.env, AUTOQNN_KERNEL_TOKEN: token },
    });
    const output = new Output({ stdout: child.stdout!, stderr: child.stderr! }, token, this.#ordered());
    this.#process = child;
    this.#output = output;
    this.#started = false;
    child.stdio[4]!.on("error", () => undefined);
    child.on("message", (notice: Notice) => output.take(notice));
    child.on("exit", (code, signal) => {
      const drained = new Promise((resolve) => child.once("close", resolve));
      const late = new Promise((resolve) => setTimeout(resolve, DRAIN));
      void Promise.race([drained, late]).then(() =>
        this.#died(child, signal ? `signal ${signal}` : `exit code ${code}`),
      );
    });
  }

  #ordered(): OutputHandlers {
    return {
      text: (name, text) => this.handlers.text(name, text),
      notice: (notice) => {
        if (notice.kind === "started") this.#started = true;
        else if (notice.kind !== "ready" && notice.kind !== "ended") this.handlers.notice(notice);
        // The wait for an earlier one was interrupted, or its end was said before.
        else if (notice.cell === this.#cell) this.#settle(notice);
      },
    };
  }

  #died(child: ChildProcess, how: string): void {
    this.#output.release(true);
    killGroup(child);
    if (this.#stopped || child !== this.#process) return;
    // One that cannot even start is tried again with the next cell, not at once and for ever.
    if (this.#started) this.#start();
    if (!this.#settle({ kind: "died", how })) this.handlers.died(how);
  }

  #settle(answer: Answer): boolean {
    const waiting = this.#answer;
    this.#answer = undefined;
    waiting?.(answer);
    return waiting !== undefined;
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
