import type { Checkpoint } from "./checkpoint.js";

/** Where a stage stands, under the name of what determines its result, and the examples that it learned from. */
interface Kept {
  readonly key: string;
  readonly examples: readonly object[];
  readonly checkpoint: Checkpoint;
}

/** The oldest are let go beyond this, but the last one never. */
const BYTES = 512e6;

let stages: readonly Kept[] = [];

/**
 * Keeps where a stage without a checkpoint directory ended, or was stopped, until the work that it is part of has come to
 * its end: interrupted and run again in this process, the work goes on.
 */
export function keepInMemory(key: string, examples: readonly object[], checkpoint: Checkpoint): void {
  stages = [...stages.filter((stage) => stage.key !== key), { key, examples, checkpoint }];
  while (stages.length > 1 && stages.reduce((sum, stage) => sum + bytesOf(stage), 0) > BYTES)
    stages = stages.slice(1);
}

/**
 * What was kept of this stage, if it learned from the very same objects: equal numbers of batches, which is all that the
 * name of a stage holds of its data, may be of other data.
 */
export function recall(key: () => string, examples: readonly object[]): Checkpoint | undefined {
  const same = stages.filter(
    (stage) => stage.examples.length === examples.length && stage.examples.every((e, i) => e === examples[i]),
  );
  return same.length === 0 ? undefined : same.find((stage) => stage.key === key())?.checkpoint;
}

/** Lets go of everything: the work came to its end. Run again, it is done again. */
export function forget(): void {
  stages = [];
}

function bytesOf({ checkpoint: { tensors } }: Kept): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
}
