import { AutoqnnError } from "../errors.js";

/**
 * Throws AutoqnnError `aborted` when the signal has fired: for work between the stages, which is short and begins anew.
 *
 * @param what the work, and how far it came: "Evaluation was stopped after batch 3"
 */
export function refuseStopped(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted)
    throw new AutoqnnError(
      "aborted",
      `${what}.`,
      "Run the same again: this begins anew, the stages before it do not where they have a checkpoint directory.",
    );
}
