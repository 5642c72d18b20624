import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ValidationOptions } from "./dataset.js";
import { idx } from "./idx.js";
import type { Dataset } from "./split.js";

const CLASS_NAMES = [
  "T-shirt/top",
  "Trouser",
  "Pullover",
  "Dress",
  "Coat",
  "Sandal",
  "Shirt",
  "Sneaker",
  "Bag",
  "Ankle boot",
] as const;

/** The files lie in the package once, beside the sources: one folder away from these, two from the compiled ones. */
function shipped(): string {
  const beside = fileURLToPath(new URL("fashion-mnist", import.meta.url));
  return existsSync(beside)
    ? beside
    : fileURLToPath(new URL("../../datasets/fashion-mnist", import.meta.url));
}

/**
 * Fashion-MNIST, shipped with this package: grey images of clothing, 28 x 28 x 1, ten classes. 55,000 to train on,
 * 5,000 for validation (the last of a fixed permutation of the 60,000 training images), 10,000 to test on.
 *
 * @example
 * const { train, test, classNames } = await datasets.fashionMnist();
 * train.size; // 55000
 */
export async function fashionMnist({ validation = 5000 }: ValidationOptions = {}): Promise<Dataset> {
  const data = await idx(shipped(), {
    name: "fashion-mnist",
    classes: 10,
    classNames: CLASS_NAMES,
    validation,
  });
  return Object.freeze({ ...data, augment: { flip: true, shift: 1 } });
}
