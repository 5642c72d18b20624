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
 * What one piece of work (a stage of a plan with its trials, a floating-point training) keeps in this process where it has no
 * checkpoint directory: interrupted and run again, it goes on. All work of the process shares the room.
 */
export class Memory {
  readonly #keys = new Set<string>();

  /** Keeps where a stage ended, or was stopped, until the work that it is part of has come to its end. */
  keep(key: string, examples: readonly object[], checkpoint: Checkpoint): void {
    this.#keys.add(key);
    stages = [...stages.filter((stage) => stage.key !== key), { key, examples, checkpoint }];
    while (stages.length > 1 && stages.reduce((sum, stage) => sum + bytesOf(stage), 0) > BYTES)
      stages = stages.slice(1);
  }

  /**
   * What was kept of this stage, if it learned from the very same objects: the name of a stage knows of its data only how they
   * begin.
   */
  recall(key: () => string, examples: readonly object[]): Checkpoint | undefined {
    const same = stages.filter(
      (stage) =>
        stage.examples.length === examples.length && stage.examples.every((e, i) => e === examples[i]),
    );
    const found = same.length === 0 ? undefined : same.find((stage) => stage.key === key());
    if (found) this.#keys.add(found.key);
    return found?.checkpoint;
  }

  /** Lets go of what this work kept, which came to its end: run again, it is done again. */
  forget(): void {
    stages = stages.filter(({ key }) => !this.#keys.has(key));
    this.#keys.clear();
  }
}

function bytesOf({ checkpoint: { tensors } }: Kept): number {
  return Object.values(tensors).reduce((sum, { data }) => sum + data.byteLength, 0);
}
