import { AutoqnnError } from "../errors.js";

/** The error of everything that reads models: what was expected, what came, and where. */
export function badModel(
  expected: string,
  received: string,
  where: string,
  hint: string,
  cause?: unknown,
): AutoqnnError {
  const message = `Expected ${expected}, received ${received} at ${where}.`;
  return new AutoqnnError("bad-model", message, hint, cause === undefined ? {} : { cause });
}
