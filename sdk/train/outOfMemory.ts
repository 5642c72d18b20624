import { AutoqnnError } from "../errors.js";
import type { Stage } from "./loop.js";

/** Whether this is the error of a step that asked for more memory than there is. */
export const isOutOfMemory = (error: unknown): boolean =>
  error instanceof AutoqnnError && error.code === "out-of-memory";

/**
 * The error of a stage whose step does not fit into memory: it says what would. Smaller batches, of which more make an update,
 * take less memory for the same examples an update; the part that goes with the weights stays.
 *
 * @param done steps that the stage had done, after which it was kept
 * @param directory where; the memory of the process where there is none
 */
export function doesNotFit(
  { name, batchSize, recipe: { accumulate }, steps }: Stage,
  done: number,
  directory: string | undefined,
  cause: unknown,
): AutoqnnError {
  const parts = leastFactor(batchSize);
  const smaller =
    parts > 1
      ? `Give batchSize: ${batchSize / parts}, recipe: { accumulate: ${accumulate * parts} }: as many examples an update, in about ${share(parts)} of the memory. Where that is still too much, do the same again.`
      : "Batches have one example already: give smaller images, a smaller network, or a machine with more memory.";
  const goingOn =
    done > 0
      ? ` With other batches it begins anew. What it had after step ${done} is kept ${directory ? `in ${directory}` : "by this process"}: run the same again, where more memory is free, to continue.`
      : "";
  return new AutoqnnError(
    "out-of-memory",
    `Expected step ${done + 1} of ${steps} of "${name}" to fit into memory, with ${batchSize} examples at once, received: ${(cause as Error).message}`,
    `${smaller}${goingOn}`,
    { cause },
  );
}

/**
 * The error of a pass over examples whose batch does not fit into memory.
 *
 * @param what the work, as in "The evaluation"
 * @param examples that were in the batch
 */
export function batchDoesNotFit(what: string, examples: number, cause: unknown): AutoqnnError {
  const work = what.charAt(0).toLowerCase() + what.slice(1);
  return new AutoqnnError(
    "out-of-memory",
    `Expected ${work} to fit into memory with ${examples} examples at once, received: ${(cause as Error).message}`,
    examples > 1
      ? `Give a smaller batchSize, ${Math.ceil(examples / 2)} for example: the result is the same, but for the rounding of sums.`
      : "Batches have one example already: give smaller images, a smaller network, or a machine with more memory.",
    { cause },
  );
}

/** The least number of equal parts, above one, that `count` examples can be cut into; 1 for a single example. */
function leastFactor(count: number): number {
  for (let factor = 2; factor <= count; factor++) if (count % factor === 0) return factor;
  return 1;
}

const share = (parts: number): string => (parts === 2 ? "half" : `1/${parts}`);
