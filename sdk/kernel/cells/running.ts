import { Worker } from "node:worker_threads";
import { interruptByte } from "./protocol.js";

/** The cell that runs: what its code, and what it calls, belongs to. */
export interface Running {
  /** Its number, by which interrupts name it. */
  readonly cell: number;
  readonly name: string;
  readonly controller: AbortController;
  /** Whether the front end that ran it can be asked for input. */
  readonly allowInput: boolean;
  /** Set when its code is to stop at the next `await`. */
  stopped: boolean;
  interrupts: number;
  /** When an interrupted cell is no longer waited for. */
  deadline: number;
  /** Ends the wait for the cell. */
  abandon(reason: Interrupted): void;
  abandoned: boolean;
}

/** Says that a cell has ended: by itself, or with an error. */
type End = (failure?: { readonly error: unknown }) => void;

/** Why an interrupted cell ended. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";

  constructor() {
    super("The cell was interrupted.");
  }
}

let current: Running | undefined;
/** Of the cell whose end was not said yet: what says it may itself be stopped. */
let untold: End | undefined;
/** What interrupted a cell that has not begun. */
let early: number | undefined;
/** See watcher.mjs. */
const shared = new Int32Array(new SharedArrayBuffer(20));
const [HEARD, TERMINATED, COOPERATES, DONE, LOADING] = [0, 1, 2, 3, 4];
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

/**
 * Stands around what a cell awaits: code that belonged to an interrupted cell when it began to wait goes no further. (Node's own
 * AsyncLocalStorage would know more exactly what belongs to a cell, but Node aborts where JavaScript is stopped under it.)
 */
export function awaited<T>(cell: Running | undefined, value: T): T {
  if (cell?.stopped) throw new Interrupted();
  return value;
}

/** Runs a cell's code as the running cell, and says how it ended: with `Interrupted` where an interrupt ended the wait for it. */
export async function run(
  about: Pick<Running, "cell" | "name" | "allowInput">,
  body: (self: Running) => Promise<void>,
  end: End,
): Promise<void> {
  const interruptedBefore = early === interruptByte(about.cell);
  early = undefined;
  untold = end;
  if (interruptedBefore) return tell({ error: new Interrupted() });
  Atomics.store(shared, COOPERATES, 0);
  let abandon: (reason: Interrupted) => void = () => undefined;
  const interrupted = new Promise<never>((_, reject) => {
    abandon = reject;
  });
  const self: Running = {
    ...about,
    controller: new AbortController(),
    stopped: false,
    interrupts: 0,
    deadline: Number.POSITIVE_INFINITY,
    abandon,
    abandoned: false,
  };
  current = self;
  let failure: Parameters<End>[0];
  try {
    await Promise.race([body(self), interrupted]);
  } catch (error) {
    failure = { error };
  }
  tell(failure);
}

const tell: End = (failure) => {
  current = undefined;
  untold?.(failure);
  untold = undefined;
  Atomics.store(shared, DONE, Atomics.load(shared, HEARD));
};

/** Keeps an interrupt from stopping JavaScript while modules load: half a module would be left. */
export async function uncut<T>(load: () => Promise<T>): Promise<T> {
  Atomics.add(shared, LOADING, 1);
  try {
    return await load();
  } finally {
    Atomics.sub(shared, LOADING, 1);
  }
}

/** Starts the thread that hears interrupts on the file descriptor. */
export function hearInterrupts(fd: number): void {
  const watcher = new Worker(new URL("./watcher.mjs", import.meta.url), { workerData: { fd, shared } });
  let terminated = 0;
  // Told again and again until the cell is done: any of these calls may be what was stopped.
  watcher.on("message", ({ number, cell }: { number: number; cell: number }) => {
    const first = number > Atomics.load(shared, HEARD);
    const cut = Atomics.load(shared, TERMINATED) > terminated;
    terminated = Atomics.load(shared, TERMINATED);
    const meant = current !== undefined && interruptByte(current.cell) === cell;
    if (current && (cut || (first && meant))) interrupt(current, cut);
    if (first) Atomics.store(shared, HEARD, number);
    if (first && !meant) early = cell;
    if (!current && !untold) Atomics.store(shared, DONE, Atomics.load(shared, HEARD));
    // It should have been told by now: what was about to do so was stopped.
    else if (!current || current.abandoned) tell({ error: new Interrupted() });
    else if (Date.now() >= current.deadline) {
      current.stopped = true;
      current.abandoned = true;
      current.abandon(new Interrupted());
    }
  });
  watcher.unref();
}

/** `cut`: whether its JavaScript was stopped on the way, so that it never settles. */
function interrupt(cell: Running, cut: boolean): void {
  cell.interrupts += 1;
  const cooperates = Atomics.load(shared, COOPERATES) === 1 && cell.interrupts === 1 && !cut;
  if (!cooperates) cell.stopped = true;
  cell.deadline = Date.now() + (cooperates ? GRACE : MOMENT);
  cell.controller.abort(new Interrupted());
}
