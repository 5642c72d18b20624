import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { TensorMap } from "../sdk/engine/engine.js";
import { engine } from "../sdk/engine/index.js";
import type { RecordImages } from "../sdk/engine/pipeline.js";
import { AutoqnnError } from "../sdk/errors.js";
import { badFile } from "./badFile.js";
import { dataset, type ValidationOptions } from "./dataset.js";
import { checkedSize } from "./imageFiles.js";
import type { Images } from "./images.js";
import { recordOffsets } from "./recordFile.js";
import type { Dataset } from "./split.js";
import { centralWindows } from "./windows.js";

export interface TfRecordsOptions extends ValidationOptions {
  /** Every image is brought to this many pixels: height and width, or both at once. */
  readonly size: number | readonly [height: number, width: number];
  /** As of `imageFolder`: the whole image stretched, or the middle of it and, in training, random windows. Default: "stretch". */
  readonly fit?: "stretch" | "crop";
  /** 3: red, green, blue; 1: grey. Default: 3. */
  readonly channels?: 1 | 3;
  /** The feature that holds the JPEG or PNG file. Default: "image/encoded". */
  readonly image?: string;
  /** The feature that holds the number of the class. Default: "image/class/label". */
  readonly label?: string;
  /** The number of the first class. Default: 1, as the usual conversion of ImageNet counts; batches count from 0. */
  readonly firstLabel?: number;
  /** Default: 1000. */
  readonly classes?: number;
}

/** `train-00000-of-01024`, `imagenet2012-train.tfrecord-00000-of-01024`, `validation-00000-of-00128.tfrecord`. */
const SHARD = /^(?:.*[-_.])?(train|validation|val|test)(?:\.tfrecords?)?-(\d+)-of-(\d+)(?:\.tfrecords?)?$/;

/** What stands for the test split: the first of these that is there, because ImageNet's own test images have no classes. */
const HELD_OUT = ["validation", "val", "test"];

/**
 * Reads images in TFRecord files, the usual form of ImageNet: `train-00000-of-01024` and so on to train on, of which a tenth
 * is set apart for validation, and `validation-00000-of-00128` (or `val`, `test`) to test on; each record an Example with the
 * file of an image and the number of its class. Any record can be read at any time, so order and augmentation are those of
 * the other readers: all images shuffled anew in each pass, by the seed alone.
 *
 * Opening reads the lengths of all records, and the first record of each part. Images and classes are read when a batch needs
 * them, and the checksums of their records compared.
 *
 * @throws AutoqnnError `bad-file` naming file and byte, for shards that are missing, checksums that are wrong, a file that ends
 * within a record; from the batch it belongs to for a record without these features, a class out of range, no image.
 * `bad-option` for a bad option; `engine` without the native engine, which decodes.
 * @example
 * const data = await datasets.tfRecords("imagenet/", { size: 224, fit: "crop" });
 */
export async function tfRecords(directory: string, options: TfRecordsOptions): Promise<Dataset> {
  const { size, fit = "stretch", channels = 3, classes = 1000, firstLabel = 1 } = options;
  const { image = "image/encoded", label = "image/class/label" } = options;
  checkLabels(firstLabel, classes);
  const shape = [...(await checkedSize(size)), channels] as const;
  const names = await readdir(directory).catch((cause: unknown) => {
    throw badFile(directory, 0, "a readable directory of TFRecord files", "none", "Check the path.", cause);
  });
  const read = async (shards: readonly string[]): Promise<Images> => {
    const [file, offset]: [number[], bigint[]] = [[], []];
    for (const [n, path] of shards.entries()) {
      for (const at of await recordOffsets(path)) {
        file.push(n);
        offset.push(at);
      }
    }
    const records = { image, label, first: firstLabel, classes };
    const places = { file: Int32Array.from(file), offset: BigInt64Array.from(offset) };
    const images: RecordImages = { shape, fit, files: shards, records: { ...records, ...places } };
    if (file.length === 0) throw badFile(shards[0]!, 0, "a record or more", "none", "Copy the files again.");
    await diagnose(images, Uint32Array.of(0));
    return { ...images, diagnose: (samples) => diagnose(images, samples) };
  };
  const found = ["train", HELD_OUT.find((name) => shardsOf(names, name).length > 0) ?? HELD_OUT[0]!];
  const [train, test] = found.map((name) => complete(directory, name, shardsOf(names, name)));
  const source = { train: await read(train!), test: await read(test!), classes };
  const made = dataset({ name: basename(resolve(directory)), ...source }, options);
  return fit === "crop" ? Object.freeze({ ...made, augment: { flip: true, crop: true } }) : made;
}

interface Shard {
  readonly name: string;
  readonly number: number;
  readonly of: number;
}

function shardsOf(names: readonly string[], part: string): Shard[] {
  const shards = names.flatMap((name) => {
    const [, own, number, of] = SHARD.exec(name) ?? [];
    return own === part ? [{ name, number: Number(number), of: Number(of) }] : [];
  });
  return shards.sort((a, b) => a.number - b.number);
}

/** The paths of all shards of a part, in their order. */
function complete(directory: string, part: string, shards: readonly Shard[]): string[] {
  const count = shards[0]?.of ?? 1;
  const missing = Array.from({ length: count }, (_, n) => n).find((n) => shards[n]?.number !== n);
  if (missing === undefined && shards.length === count && shards.every(({ of }) => of === count))
    return shards.map(({ name }) => join(directory, name));
  const five = (number: number): string => String(number).padStart(5, "0");
  const received =
    shards.length === 0 ? "none" : `${shards.length} of ${count}, without number ${missing ?? count}`;
  const hint = "Put all files of one conversion there, and no others.";
  throw badFile(directory, 0, `${part}-${five(0)}-of-${five(count)} and so on`, received, hint);
}

/** Reads records one by one, so that what fails is known. */
async function diagnose(images: RecordImages, samples: Uint32Array): Promise<void> {
  const { files, records } = images;
  for (const sample of samples) {
    const pipeline = {
      images,
      order: Int32Array.of(sample),
      windows: centralWindows(1),
      rows: {},
      batchSize: 1,
      body: ({ image }: TensorMap): TensorMap => ({ image: image! }),
    };
    try {
      for await (const { image } of (await engine()).batches("record", pipeline)) image!.dispose();
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
      const path = files[records.file[sample]!]!;
      const offset = Number(records.offset[sample]);
      const expected = "an Example with an undamaged image and its class";
      const hint = "Copy the file again; look at the options image, label, firstLabel and classes.";
      throw badFile(path, offset, expected, `"${told(cause)}"`, hint, error);
    }
  }
}

/** What TensorFlow says of an element, without where in the pipeline it says it. */
function told(error: unknown): string {
  const [line] = (error instanceof Error ? error.message : String(error)).split("\n");
  return line!.replace(/^.*Iterator::\S+ /, "");
}

function checkLabels(first: number, classes: number): void {
  if (Number.isSafeInteger(first) && Number.isInteger(classes) && classes > 0 && classes < 2 ** 31) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected whole numbers, of classes 1 or more, received firstLabel ${first} and classes ${classes}.`,
    "ImageNet has { firstLabel: 1, classes: 1000 }, the default.",
  );
}
