/** What went wrong, as a stable word that a program can test. */
export type ErrorCode =
  | "bad-option"
  | "bad-model"
  | "bad-data"
  | "bad-file"
  | "infeasible-budget"
  | "untraceable"
  | "engine"
  | "out-of-memory"
  | "aborted";

/**
 * The only error this package throws on purpose.
 *
 * `message` says what was expected, what came, and where; `hint` says what to do about it.
 *
 * @example
 * throw new AutoqnnError("bad-option", 'Expected 1 to 4 bits for pot at "conv2/kernel", received 6.', "Use clip or zoom.");
 */
export class AutoqnnError extends Error {
  override readonly name = "AutoqnnError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint: string,
    options?: ErrorOptions,
  ) {
    super(`${message} ${hint}`, options);
  }
}
