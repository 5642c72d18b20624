import { AutoqnnError } from "../sdk/errors.js";
import { countOf, type Images } from "./images.js";
import { random, shuffled } from "./random.js";
import { type Dataset, everySample, split } from "./split.js";

export interface ValidationOptions {
  /** Training images set aside for validation: the last of a fixed permutation. Default: a tenth. */
  readonly validation?: number;
}

/** What a reader has read: images to train on and to test on. */
export interface Source {
  readonly name: string;
  readonly train: Images;
  readonly test: Images;
  readonly classes: number;
  readonly classNames?: readonly string[];
}

/** A data set of three disjoint splits. The permutation that sets validation apart never changes. */
export function dataset(
  { name, train, test, classes, classNames }: Source,
  options: ValidationOptions = {},
): Dataset {
  const count = countOf(train);
  const { validation = Math.floor(count / 10) } = options;
  if (!Number.isInteger(validation) || validation < 0 || validation >= count) {
    throw new AutoqnnError(
      "bad-option",
      `Expected 0 to ${count - 1} validation images of the ${count} of ${name}, received ${validation}.`,
      "At least one image must be left to train on.",
    );
  }
  const order = shuffled(everySample(train), random("validation", 0));
  return Object.freeze({
    name,
    train: split(train, classes, order.subarray(0, count - validation)),
    validation: split(train, classes, order.subarray(count - validation)),
    test: split(test, classes),
    ...(classNames && { classNames: Object.freeze([...classNames]) }),
  });
}
