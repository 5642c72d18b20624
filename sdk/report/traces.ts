import { AutoqnnError } from "../errors.js";
import type { LearnRun, SearchRun, Trace } from "../train/run.js";

/** A line has at most so many points; a screen shows no more. */
const POINTS = 200;

/** What a stage recorded under `name` at each of its steps. Throws AutoqnnError `bad-option` where it did not. */
export function traceOf(run: SearchRun | LearnRun, name: string): Trace {
  const trace = run.history.traces[name];
  if (trace) return trace;
  throw new AutoqnnError(
    "bad-option",
    `Expected the trace "${name}" in the history of the stage, received ${Object.keys(run.history.traces).join(", ") || "none"}.`,
    "Draw the value that the stage returned.",
  );
}

/** The values of one step, counted from 0. */
export function rowAt({ row, data }: Trace, step: number): Float32Array {
  const length = row.reduce((product, dimension) => product * dimension, 1);
  return data.subarray(step * length, (step + 1) * length);
}

/** At most `POINTS` step numbers, evenly spread, the first and the last among them. */
export function steps(count: number): number[] {
  const points = Math.min(count, POINTS);
  return Array.from({ length: points }, (_, i) => Math.round((i * (count - 1)) / Math.max(1, points - 1)));
}

export function softmax(theta: Float32Array): number[] {
  const largest = Math.max(...theta);
  const e = Array.from(theta, (value) => Math.exp(value - largest));
  const sum = e.reduce((total, value) => total + value, 0);
  return e.map((value) => value / sum);
}

/** Exponentially smoothed over a fiftieth of its length. */
export function smoothed(values: ArrayLike<number>): number[] {
  const kept = 1 - 1 / Math.max(1, values.length / 50);
  let mean = values[0] ?? 0;
  return Array.from(values, (value) => {
    mean = kept * mean + (1 - kept) * value;
    return mean;
  });
}
