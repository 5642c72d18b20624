import type { StreamName } from "./output.js";

/** Characters that one cell may print before the rest is left out: more than a notebook can show, or a front end bear. */
export const MOST_PRINTED = 4_000_000;

/** Counts what a cell prints, and leaves out what goes beyond the bound with one sentence about it. */
export class Printed {
  #count = 0;
  #told = false;

  constructor(readonly publish: (name: StreamName, text: string) => void) {}

  /** Starts to count anew, for the next cell. */
  reset(): void {
    this.#count = 0;
    this.#told = false;
  }

  write(name: StreamName, text: string): void {
    const room = MOST_PRINTED - this.#count;
    this.#count += text.length;
    if (room > 0) this.publish(name, text.slice(0, room));
    if (text.length <= room || this.#told) return;
    this.#told = true;
    this.publish(
      "stderr",
      `\n[Output left out: this cell printed more than ${MOST_PRINTED / 1e6} million characters. It runs on.]\n`,
    );
  }
}
