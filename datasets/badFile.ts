import { AutoqnnError } from "../sdk/errors.js";

/** The error of every reader: which file, at which byte, what was expected there and what stands there. */
export function badFile(
  path: string,
  offset: number,
  expected: string,
  received: string,
  hint: string,
  cause?: unknown,
): AutoqnnError {
  return new AutoqnnError(
    "bad-file",
    `Expected ${expected}, received ${received} at byte ${offset} of ${path}.`,
    hint,
    cause === undefined ? {} : { cause },
  );
}
