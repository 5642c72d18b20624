import { AutoqnnError } from "../../errors.js";
import { say } from "./channel.js";
import { running } from "./running.js";

let answer: ((text: string) => void) | undefined;

/** @internal Passes on what the user typed. */
export function answerInput(text: string): void {
  answer?.(text);
  answer = undefined;
}

/**
 * Asks the user for a line of text. Throws AutoqnnError `bad-option` where the front end cannot ask, as in runs without a user.
 *
 * @example
 * const name = await input("Name of the run: ");
 */
export function input(prompt = "", { password = false }: { password?: boolean } = {}): Promise<string> {
  if (!running()?.allowInput)
    throw new AutoqnnError(
      "bad-option",
      "Expected a front end that asks for input, but this one does not.",
      "Give the value in the cell.",
    );
  return new Promise((resolve) => {
    answer = resolve;
    say({ kind: "ask", prompt, password });
  });
}
