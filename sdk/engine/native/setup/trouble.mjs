// @ts-check

/** Something missing on this machine: what it is, and the command that mends it. */
export class Trouble extends Error {
  /**
   * @param {string} what one sentence
   * @param {string} mend a command, or what to do where no command does
   */
  constructor(what, mend) {
    super(what);
    this.mend = mend;
  }
}

/**
 * The message of whatever was thrown, on one line.
 *
 * @param {unknown} error
 */
export function reason(error) {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().split("\n").at(-1) ?? "";
}
