import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Writable } from "node:stream";
import type { Notice, Program, Request } from "./cells/protocol.js";
import { programPath } from "./compiler.js";
import { Output, type OutputHandlers, type StreamName } from "./output.js";

/** How a cell ended. */
export type Ending =
  | { readonly kind: "ended"; readonly notice: Extract<Notice, { kind: "ended" }> }
  /** The process ended with it: `how` as in "exit code 3" or "signal SIGSEGV". */
  | { readonly kind: "died"; readonly how: string };

/** What cells say while they run. */
export type CellNotice = Exclude<Notice, { kind: "ended" | "ready" }>;

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
  #end: ((ending: Ending) => void) | undefined;
  #ready = false;
  #stopped = false;

  constructor(readonly handlers: CellsHandlers) {
    this.#start();
  }

  /** Runs a cell. */
  run(program: Program, allowInput: boolean): Promise<Ending> {
    if (!this.#process.connected) this.#start();
    return new Promise((resolve) => {
      this.#end = resolve;
      this.send({ kind: "run", program, allowInput });
    });
  }

  send(request: Request): void {
    // A process that is about to end may not take it; its end is told then.
    this.#process.send(request, () => undefined);
  }

  /** Interrupts the cell that runs, also while it computes. */
  interrupt(): void {
    (this.#process.stdio[4] as Writable).write("i");
  }

  /** Ends the process and all that it started. */
  stop(): void {
    this.#stopped = true;
    killGroup(this.#process);
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
    this.#ready = false;
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
        if (notice.kind === "ready") this.#ready = true;
        else if (notice.kind === "ended") this.#settle({ kind: "ended", notice });
        else this.handlers.notice(notice);
      },
    };
  }

  #died(child: ChildProcess, how: string): void {
    this.#output.release(true);
    killGroup(child);
    if (this.#stopped || child !== this.#process) return;
    // One that cannot even start is tried again with the next cell, not at once and for ever.
    if (this.#ready) this.#start();
    if (!this.#settle({ kind: "died", how })) this.handlers.died(how);
  }

  #settle(ending: Ending): boolean {
    const end = this.#end;
    this.#end = undefined;
    end?.(ending);
    return end !== undefined;
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
