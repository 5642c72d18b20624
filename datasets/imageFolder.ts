import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { elements } from "../sdk/engine/pipeline.js";
import { AutoqnnError } from "../sdk/errors.js";
import { badFile } from "./badFile.js";
import { dataset, type ValidationOptions } from "./dataset.js";
import { fileShape, imagesOf, inOneBlock, type Labelled } from "./imageFiles.js";
import type { Images } from "./images.js";
import { random, shuffled } from "./random.js";
import type { Dataset } from "./split.js";

export interface ImageFolderOptions extends ValidationOptions {
  /** Every image is stretched to this many pixels: height and width, or both at once. Default: images as they are. */
  readonly size?: number | readonly [height: number, width: number];
  /**
   * "stretch": the whole image, whatever its proportions. "crop", as networks for ImageNet are trained: evaluation sees the
   * middle (7/8 of the longest square, or rectangle, that fits), training windows of random size and proportions; needs a
   * `size`, and images are read anew in each pass. Default: "stretch".
   */
  readonly fit?: "stretch" | "crop";
  /** 3: red, green, blue; 1: grey. Default: 3. */
  readonly channels?: 1 | 3;
  /**
   * Whether images are decoded once and kept, at a byte for each number; otherwise each pass reads and decodes them anew.
   * Default: whether all of them fit into 1 GiB.
   */
  readonly inMemory?: boolean;
}

const KEPT_BYTES = 2 ** 30;

/** The folder of the test split, beside `train`: the first of these that is there. */
const HELD_OUT = ["test", "val"];

/**
 * Reads JPEG, PNG and still GIF files, one folder per class: `directory/CLASS/*`, a tenth of which (always the same) becomes
 * the test split, or `directory/train/CLASS/*` and `directory/test/CLASS/*`; ImageNet's `val` serves for `test`. TensorFlow
 * decodes them and resizes them bilinearly, on several threads. Names that begin with a dot are passed over.
 *
 * @throws AutoqnnError `bad-file` naming the file, for what is no image, an empty folder, and images of several sizes where
 * no `size` is given; from the batch it belongs to where images are not kept in memory. `engine` without the native engine,
 * which decodes.
 * @example
 * const data = await datasets.imageFolder("flowers/", { size: 96 });
 */
export async function imageFolder(directory: string, options: ImageFolderOptions = {}): Promise<Dataset> {
  const { size, fit = "stretch", inMemory } = options;
  if (fit === "crop" && (size === undefined || inMemory)) {
    throw new AutoqnnError(
      "bad-option",
      `Expected a size, and images that are read anew in each pass, beside fit: "crop", received ${size === undefined ? "no size" : "inMemory: true"}.`,
      'Give { size: 224, fit: "crop" }, and leave out inMemory.',
    );
  }
  const shapeOf = await fileShape(options);
  const top = await folders(directory);
  const heldOut = top.includes("train") ? HELD_OUT.find((name) => top.includes(name)) : undefined;
  const classNames = heldOut ? await folders(join(directory, "train")) : top;
  const [train, test] = heldOut
    ? [await files(join(directory, "train"), classNames), await files(join(directory, heldOut), classNames)]
    : apart(await files(directory, classNames));
  if (train.length === 0) {
    throw badFile(
      directory,
      0,
      "two images or more",
      "one",
      "Add images, some to train and some to test on.",
    );
  }
  const shape = await shapeOf(train[0]!.path);
  const fits = (train.length + test.length) * elements(shape) <= KEPT_BYTES;
  const kept = fit === "stretch" && (inMemory ?? fits);
  const read = async (list: readonly Labelled[]): Promise<Images> => {
    const images = imagesOf(list, { shape, fit: size === undefined ? "exact" : fit }, shapeOf);
    return kept ? inOneBlock(images) : images;
  };
  const source = { train: await read(train), test: await read(test), classes: classNames.length, classNames };
  const made = dataset({ name: basename(resolve(directory)), ...source }, options);
  return fit === "crop" ? Object.freeze({ ...made, augment: { flip: true, crop: true } }) : made;
}

async function folders(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
    throw badFile(directory, 0, "a readable directory of classes", "none", "Check the path.", cause);
  });
  const names = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
  if (names.length > 0) return names.map(({ name }) => name).sort();
  throw badFile(
    directory,
    0,
    "a folder for each class",
    "none",
    "Sort the images into one folder per class.",
  );
}

async function files(directory: string, classNames: readonly string[]): Promise<Labelled[]> {
  const strange = (await folders(directory)).find((name) => !classNames.includes(name));
  if (strange !== undefined) {
    const hint = "Train and test need the same classes.";
    throw badFile(join(directory, strange), 0, `one of the classes ${classNames.join(", ")}`, strange, hint);
  }
  const found = classNames.map(async (name, label) => {
    const folder = join(directory, name);
    const images = (await readdir(folder).catch(() => [])).filter((file) => !file.startsWith(".")).sort();
    if (images.length === 0)
      throw badFile(folder, 0, "at least one image", "an empty folder", "Fill or remove it.");
    return images.map((file) => ({ path: join(folder, file), label }));
  });
  return (await Promise.all(found)).flat();
}

/** A tenth for testing, at least one image; the order of the files is kept. */
function apart(all: readonly Labelled[]): [Labelled[], Labelled[]] {
  const order = shuffled(
    Uint32Array.from(all, (_, i) => i),
    random("test", 0),
  );
  const chosen = new Set(order.subarray(0, Math.max(1, Math.floor(all.length / 10))));
  return [all.filter((_, i) => !chosen.has(i)), all.filter((_, i) => chosen.has(i))];
}
