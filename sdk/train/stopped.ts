import { AutoqnnError } from "../errors.js";

/**
 * Throws AutoqnnError `aborted` when the signal has fired: for work between the stages, which is short and begins anew.
 *
 * @param what the work, and how far it came: "The evaluation was stopped after 300 examples"
 */
export function refuseStopped(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted) throw stopped(what);
}

/** The error of such work that was stopped. */
export function stopped(what: string): AutoqnnError {
  return new AutoqnnError(
    "aborted",
    `${what}.`,
    "Run the same again: this begins anew, the stages before it do not where they have a checkpoint directory.",
  );
}

/** Whether this is the error of work that a signal stopped. */
export const isAborted = (error: unknown): boolean =>
  error instanceof AutoqnnError && error.code === "aborted";
