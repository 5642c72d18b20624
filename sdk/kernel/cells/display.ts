import { randomUUID } from "node:crypto";
import { say } from "./channel.js";
import { show } from "./show.js";

/** What `display` showed: `update` replaces it in place. */
export interface Shown {
  update(value: unknown): Promise<void>;
}

/**
 * Shows a value under the cell, as the value of a cell's last line is shown.
 *
 * @example
 * const shown = await display("working");
 * await shown.update("done");
 */
export async function display(value: unknown, id: string = randomUUID()): Promise<Shown> {
  say({ kind: "display", bundle: await show(value), id });
  return {
    async update(next) {
      say({ kind: "update", bundle: await show(next), id });
    },
  };
}

/** Removes what the cell showed so far; with `wait`, only when the next output comes, so that nothing flickers. */
export function clearOutput({ wait = false }: { wait?: boolean } = {}): void {
  say({ kind: "clear", wait });
}
