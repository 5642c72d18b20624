import { constants } from "node:os";
import type { Watch } from "./loop.js";

type Signal = "SIGINT" | "SIGTERM";

/** What is going on that keeps itself when it is stopped. */
const going = new Set<AbortController>();
let listening: readonly Signal[] = [];
let received: Signal | undefined;

/**
 * Does work that has a checkpoint directory, so that SIGTERM, or SIGINT at a terminal, ends the process only when the step under
 * way has been cancelled and all is kept: then with a message that says how to go on and the signal's exit code, 143 or 130. A second signal
 * ends it at once, which costs what came after the last checkpoint.
 *
 * The process listens only while such work is going on, and never to a signal that the application listens to: that stops work
 * by its AbortSignal, and decides itself what becomes of the process.
 */
export async function keptOnSignals<T>(watch: Watch, work: (watch: Watch) => Promise<T>): Promise<T> {
  const { checkpoint, signal } = watch;
  if (checkpoint === undefined) return work(watch);
  const stop = new AbortController();
  if (going.size === 0) listen();
  going.add(stop);
  let outcome = `The work under way is done. Run the same again to go on from the checkpoints in ${checkpoint}.`;
  try {
    const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    return await work({ ...watch, signal: both });
  } catch (error) {
    outcome = error instanceof Error ? error.message : String(error);
    throw error;
  } finally {
    going.delete(stop);
    if (received) {
      console.error(`autoqnn: ${received}: ${outcome}`);
      // What else is going on is kept first; the caller hears no more, since it might end the process before that.
      if (going.size > 0) await new Promise(() => {});
      process.exit(128 + constants.signals[received]);
    }
    if (going.size === 0) unlisten();
  }
}

function listen(): void {
  const signals: readonly Signal[] = ["SIGINT", "SIGTERM"];
  listening = signals.filter((signal) => process.listenerCount(signal) === 0);
  for (const signal of listening) process.on(signal, hear);
}

function unlisten(): void {
  for (const signal of listening) process.off(signal, hear);
  listening = [];
}

function hear(signal: Signal): void {
  received = signal;
  unlisten();
  for (const stop of going) stop.abort();
}
