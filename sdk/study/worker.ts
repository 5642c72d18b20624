import { checkpointsOf } from "./board.js";
import { keyOf } from "./cell.js";
import type { Design } from "./design.js";
import type { Outcome } from "./file.js";
import { outcomeOf } from "./run.js";

/** What the process that has the study's file says to one that computes cells. */
export type Order = { readonly cell: string } | { readonly stop: true };

/** What that one says: that it is ready for a first cell, or what became of one. */
export type Answer = { readonly ready: true } | { readonly cell: string; readonly outcome: Outcome };

/**
 * Computes the cells that the parent process names, one after another, until it says stop or goes away. Plans that begin alike
 * share their beginning here too.
 */
export async function serveCells(design: Design, path: string): Promise<never> {
  const stop = new AbortController();
  // A terminal's Ctrl-C reaches all processes of the group; the parent decides what becomes of this one.
  process.on("SIGINT", () => {});
  process.on("disconnect", () => process.exit(1));
  const planOf = design.start(checkpointsOf(path), { signal: stop.signal });
  const cells = new Map(design.cells.map((cell) => [keyOf(cell), cell]));
  let busy = false;
  return new Promise<never>(() => {
    process.on("message", async (order: Order) => {
      if ("stop" in order) {
        stop.abort();
        if (!busy) process.exit(0);
        return;
      }
      busy = true;
      const outcome = await outcomeOf(cells.get(order.cell)!, planOf, design, stop.signal).catch(
        () => undefined,
      );
      // Without an outcome it was stopped, and its checkpoint is kept.
      if (!outcome) process.exit(0);
      await answer({ cell: order.cell, outcome });
      if (stop.signal.aborted) process.exit(0);
      busy = false;
    });
    void answer({ ready: true });
  });
}

/** Comes back when the message is on its way. */
function answer(message: Answer): Promise<void> {
  return new Promise((sent) => process.send!(message, undefined, undefined, () => sent()));
}
