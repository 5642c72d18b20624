import { stream } from "../../../sdk/train/random.js";
import { availableMemory, type Device, deviceMemory } from "./machine.js";
import { type Launch, type Ready, Worker } from "./protocol.js";

/** One worker to be timed. */
export interface Job {
  readonly id: string;
  launch(): Promise<Launch>;
}

/** What was measured of one worker. Times are milliseconds a step, memory is bytes. */
export interface Timing {
  readonly median: number;
  /** Lower and upper quartile over all steps. */
  readonly quartiles: readonly [number, number];
  readonly steps: number;
  /** Median of each round, in the order of the rounds. */
  readonly rounds: readonly number[];
  /** What the first steps took beyond the median: tracing and compiling. */
  readonly compile: number;
  /** Resident memory before the first step, and at most. */
  readonly before: number;
  readonly peak: number;
  /** Memory of the graphics processor that the process held at most. */
  readonly device?: number;
  readonly javascript?: number;
  readonly candidates?: number;
  readonly versions: Readonly<Record<string, string>>;
}

export type Outcome = Timing | { readonly notRun: string };

export interface Turns {
  readonly rounds: number;
  /** Steps of one worker's turn at most. */
  readonly steps: number;
  /** Seconds of one worker's turn, roughly, where its steps take long; two steps are run in any case. */
  readonly seconds: number;
  readonly seed: number;
}

type Started = { readonly worker: Worker; readonly ready: Ready };
type Raw = { readonly rounds: number[][]; peak: number; device?: number; readonly javascript: number[] };

/**
 * Times workers against each other: all are started and warmed up, one after the other; then each has its turn in every
 * round, in an order drawn anew. Whatever else the machine does thus meets all alike. A worker that cannot be started, or
 * dies, is reported as such, and the others go on.
 */
export async function interleave(
  jobs: readonly Job[],
  turns: Turns,
  device: Device,
  say: (line: string) => void,
): Promise<Record<string, Outcome>> {
  const started = new Map<string, Started>();
  const outcomes: Record<string, Outcome> = {};
  const raw: Record<string, Raw> = {};
  const fail = (id: string, error: unknown): void => {
    outcomes[id] = { notRun: error instanceof Error ? error.message : String(error) };
    say(`${id}: not run: ${outcomes[id].notRun}`);
  };
  try {
    for (const [index, { id, launch }] of jobs.entries()) {
      say(`starting ${id} (${index + 1} of ${jobs.length})`);
      try {
        const launched = await launch();
        refuseWithoutMemory();
        started.set(id, await Worker.start(launched));
        raw[id] = { rounds: [], peak: 0, javascript: [] };
      } catch (error) {
        fail(id, error);
      }
    }
    const draw = stream(turns.seed, "order");
    const begun = performance.now();
    for (let round = 0; round < turns.rounds; round++) {
      for (const id of shuffled([...started.keys()], draw)) {
        const { worker, ready } = started.get(id)!;
        try {
          const { steps, peak, javascript } = await worker.run(countOf(turns, ready.warmUp));
          raw[id]!.rounds.push([...steps]);
          raw[id]!.peak = peak;
          const held = device === "gpu" ? deviceMemory(worker.pid) : undefined;
          if (held !== undefined) raw[id]!.device = Math.max(held, raw[id]!.device ?? 0);
          if (javascript !== undefined) raw[id]!.javascript.push(javascript);
        } catch (error) {
          fail(id, error);
          await worker.stop();
          started.delete(id);
        }
      }
      const left = ((performance.now() - begun) / (round + 1)) * (turns.rounds - round - 1);
      say(`round ${round + 1} of ${turns.rounds}, ETA ${clock(left / 1000)}`);
    }
  } finally {
    await Promise.all([...started.values()].map(({ worker }) => worker.stop()));
  }
  for (const [id, { ready }] of started) outcomes[id] = timing(ready, raw[id]!);
  return outcomes;
}

function timing(ready: Started["ready"], { rounds, peak, device, javascript }: Raw): Timing {
  const steps = rounds.flat();
  const median = quantile(steps, 0.5);
  return {
    median,
    quartiles: [quantile(steps, 0.25), quantile(steps, 0.75)],
    steps: steps.length,
    rounds: rounds.map((round) => quantile(round, 0.5)),
    // A step can be compiled again after it first ran; what the first steps took beyond their own pace is all of it.
    compile: ready.warmUp.reduce((sum, value) => sum + Math.max(0, value - quantile(ready.warmUp, 0.5)), 0),
    before: ready.before,
    peak,
    ...(device !== undefined && { device }),
    ...(javascript.length > 0 && { javascript: quantile(javascript, 0.5) }),
    ...(ready.candidates !== undefined && { candidates: ready.candidates }),
    versions: ready.versions,
  };
}

/** Bytes that the largest worker of all takes, rounded up. */
const LARGEST = 4e9;

/** All workers live at once; one that does not fit would end the run for all of them. */
function refuseWithoutMemory(): void {
  const available = availableMemory();
  if (available < LARGEST) {
    const [has, needs] = [available, LARGEST].map((bytes) => (bytes / 1e9).toFixed(1));
    throw new Error(`${has} GB of memory are free, and a worker may need ${needs}`);
  }
}

/** Steps of one turn. */
function countOf({ steps, seconds }: Turns, warmUp: readonly number[]): number {
  const affordable = Math.floor((seconds * 1000) / quantile(warmUp, 0.5));
  return Math.min(steps, Math.max(2, affordable));
}

/** Linear interpolation between the order statistics. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low]! + (at - low) * (sorted[Math.ceil(at)]! - sorted[low]!);
}

/** The values in an order that `draw` gives. */
export function shuffled<T>(values: readonly T[], draw: () => number): T[] {
  const keyed = values.map((value) => ({ value, key: draw() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ value }) => value);
}

const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")}`;
