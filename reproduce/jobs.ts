import { type ChildProcess, fork } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { Outcome } from "./experiment.js";
import type { Answer, Order } from "./worker.js";

const WORKER = fileURLToPath(new URL("worker.ts", import.meta.url));

/** Exit codes of a process that was stopped by SIGINT and by SIGTERM, and kept where it was. */
const STOPPED = [130, 143];

/** Thrown where a worker was stopped: what it trained is kept, and running the same again continues. */
export class Stopped extends Error {
  constructor(readonly exitCode: number) {
    super("Stopped. Run the same again to continue.");
  }
}

/**
 * Carries out orders in several processes at once, each with its part of the cores. A signal to stop is passed on to them, and
 * waited for: they keep checkpoints.
 *
 * @param log where what they print is appended, if they are more than one
 * @param done what to do with each answer, in the order in which they come
 * @throws Stopped after a signal
 */
export async function carryOut(
  orders: readonly Order[],
  jobs: number,
  log: string,
  done: (order: Order, outcome: Outcome | undefined, failed: string | undefined) => Promise<void>,
): Promise<void> {
  mkdirSync(dirname(log), { recursive: true });
  const queue = [...orders];
  const running = new Set<ChildProcess>();
  let stopped: number | undefined;
  const stop = (signal: NodeJS.Signals): void => {
    stopped ??= signal === "SIGINT" ? 130 : 143;
    for (const child of running) child.kill("SIGTERM");
  };
  const lane = async (): Promise<void> => {
    let child: ChildProcess | undefined;
    for (let order = queue.shift(); order && stopped === undefined; order = queue.shift()) {
      child ??= started(jobs, log, running);
      const answer = await answered(child, order);
      if (typeof answer === "number") {
        child = undefined;
        if (STOPPED.includes(answer)) stopped ??= answer;
        if (stopped === undefined) await done(order, undefined, `its process ended with exit code ${answer}`);
      } else {
        await done(order, "outcome" in answer ? answer.outcome : undefined, failureOf(answer));
        if (order.apart) {
          child.disconnect();
          child = undefined;
        }
      }
    }
    child?.disconnect();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  try {
    await Promise.all(Array.from({ length: Math.max(1, Math.min(jobs, orders.length)) }, lane));
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
  if (stopped !== undefined) throw new Stopped(stopped);
}

const failureOf = (answer: Answer): string | undefined => ("failed" in answer ? answer.failed : undefined);

function started(jobs: number, log: string, running: Set<ChildProcess>): ChildProcess {
  const threads = Math.max(1, Math.floor(availableParallelism() / jobs));
  // Progress bars of several processes would overwrite each other.
  const output = jobs > 1 ? openSync(log, "a") : "inherit";
  const child = fork(WORKER, {
    execArgv: ["--import", "tsx"],
    env: { AUTOQNN_THREADS: String(threads), ...process.env },
    stdio: ["ignore", output, output, "ipc"],
  });
  if (typeof output === "number") closeSync(output);
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** What a worker answers, or the exit code with which it ended instead; -1 where a signal ended it. */
function answered(child: ChildProcess, order: Order): Promise<Answer | number> {
  return new Promise((resolve) => {
    const ended = (code: number | null): void => resolve(code ?? -1);
    child.once("exit", ended);
    child.once("message", (answer) => {
      child.off("exit", ended);
      resolve(answer as Answer);
    });
    child.send(order);
  });
}
