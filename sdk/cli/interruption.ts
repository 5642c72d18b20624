import { constants } from "node:os";

let received: "SIGINT" | "SIGTERM" | undefined;

/** Fires at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  const hear = (signal: "SIGINT" | "SIGTERM"): void => {
    received = signal;
    for (const name of ["SIGINT", "SIGTERM"] as const) process.off(name, hear);
    stop.abort();
  };
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, hear);
  return stop.signal;
}

/** The exit code of a command that did not come to its end: 130 or 143 where a signal ended it, else 1. */
export const failureCode = (): number => (received ? 128 + constants.signals[received] : 1);
