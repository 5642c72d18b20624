import { AsyncLocalStorage } from "node:async_hooks";
import { Worker } from "node:worker_threads";

/** The cell that runs: what its code, and what it calls, belongs to. */
export interface Running {
  readonly name: string;
  readonly controller: AbortController;
  /** Whether the front end that ran it can be asked for input. */
  readonly allowInput: boolean;
  /** Set when its code is to stop at the next `await`. */
  stopped: boolean;
  interrupts: number;
  /** Ends the wait for the cell. */
  abandon(reason: Interrupted): void;
}

/** Why an interrupted cell ended. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";

  constructor() {
    super("The cell was interrupted.");
  }
}

const context = new AsyncLocalStorage<Running>();
let current: Running | undefined;
/** See watcher.mjs. */
const shared = new Int32Array(new SharedArrayBuffer(12));
const [HEARD, TERMINATED, COOPERATES] = [0, 1, 2];
/** Milliseconds that interrupted work which was given the signal has for ending by itself. */
const GRACE = 30_000;
/** Milliseconds for all other code: what it awaits may end at once. */
const MOMENT = 20;

/** The cell that runs now, or undefined between cells. */
export const running = (): Running | undefined => current;

/** The signal of the running cell. Who takes it is given time to end by itself. */
export function signal(): AbortSignal {
  Atomics.store(shared, COOPERATES, 1);
  return current?.controller.signal ?? new AbortController().signal;
}

/** Stands around what a cell awaits: code of a cell that was interrupted goes no further. */
export function awaited<T>(value: T): T {
  if (context.getStore()?.stopped) throw new Interrupted();
  return value;
}

/** Runs a cell's code as the running cell. Rejects with `Interrupted` where an interrupt ended the wait for it. */
export async function run<T>(name: string, allowInput: boolean, body: () => Promise<T>): Promise<T> {
  Atomics.store(shared, COOPERATES, 0);
  let abandon: (reason: Interrupted) => void = () => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    abandon = reject;
  });
  const cell: Running = {
    name,
    controller: new AbortController(),
    allowInput,
    stopped: false,
    interrupts: 0,
    abandon,
  };
  current = cell;
  try {
    return await Promise.race([context.run(cell, body), interrupted]);
  } finally {
    current = undefined;
  }
}

/** Starts the thread that hears interrupts on the file descriptor. */
export function hearInterrupts(fd: number): void {
  const watcher = new Worker(new URL("./watcher.mjs", import.meta.url), { workerData: { fd, shared } });
  let terminated = 0;
  watcher.on("message", (number: number) => {
    const cut = Atomics.load(shared, TERMINATED) > terminated;
    if (number <= Atomics.load(shared, HEARD) && !cut) return;
    terminated = Atomics.load(shared, TERMINATED);
    if (current) interrupt(current, cut);
    Atomics.store(shared, HEARD, number);
  });
  watcher.unref();
}

/** `cut`: whether its JavaScript was stopped on the way, so that it never settles. */
function interrupt(cell: Running, cut: boolean): void {
  cell.interrupts += 1;
  const cooperates = Atomics.load(shared, COOPERATES) === 1 && cell.interrupts === 1 && !cut;
  if (!cooperates) cell.stopped = true;
  const wait = cut ? 0 : cooperates ? GRACE : MOMENT;
  setTimeout(() => {
    cell.stopped = true;
    cell.abandon(new Interrupted());
  }, wait).unref();
  cell.controller.abort(new Interrupted());
}
