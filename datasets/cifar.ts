import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { badFile } from "./badFile.js";
import { dataset, type ValidationOptions } from "./dataset.js";
import type { Images } from "./images.js";
import type { Dataset } from "./split.js";

interface Form {
  readonly name: string;
  readonly train: readonly string[];
  readonly test: string;
  /** Bytes before the pixels; the last of them is the label. */
  readonly labels: number;
  readonly classes: number;
  readonly classNames: string;
}

const FORMS: readonly Form[] = [
  {
    name: "cifar-10",
    train: [1, 2, 3, 4, 5].map((part) => `data_batch_${part}.bin`),
    test: "test_batch.bin",
    labels: 1,
    classes: 10,
    classNames: "batches.meta.txt",
  },
  {
    name: "cifar-100",
    train: ["train.bin"],
    test: "test.bin",
    labels: 2,
    classes: 100,
    classNames: "fine_label_names.txt",
  },
];

const SHAPE = [32, 32, 3] as const;
const PLANE = 32 * 32;
const PIXELS = 3 * PLANE;

/**
 * Reads CIFAR-10 or CIFAR-100 in the binary version, whichever the directory holds: `data_batch_1.bin` to
 * `data_batch_5.bin` and `test_batch.bin`, or `train.bin` and `test.bin` (the fine labels).
 *
 * @throws AutoqnnError `bad-file` naming file and byte, for a missing file, a size that is no whole number of records, a
 * label out of range.
 * @example
 * const data = await datasets.cifar("cifar-10-batches-bin/");
 */
export async function cifar(directory: string, options: ValidationOptions = {}): Promise<Dataset> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw badFile(directory, 0, "a readable directory of CIFAR files", "none", "Check the path.", cause);
  });
  const form = FORMS.find(({ train, test }) => [...train, test].some((name) => names.includes(name)));
  const missing = form ? [...form.train, form.test].filter((name) => !names.includes(name)) : [];
  if (!form || missing.length > 0) {
    throw badFile(
      directory,
      0,
      form
        ? `the files of ${form.name}`
        : "data_batch_1.bin ... and test_batch.bin, or train.bin and test.bin",
      form ? `none called ${missing.join(", ")}` : names.join(", ") || "an empty directory",
      "Unpack the binary version of CIFAR-10 or CIFAR-100 there.",
    );
  }
  const read = (files: readonly string[]): Promise<Images> =>
    readRecords(
      files.map((name) => join(directory, name)),
      form,
    );
  const [train, test] = [await read(form.train), await read([form.test])];
  const classNames = names.includes(form.classNames)
    ? (await readFile(join(directory, form.classNames), "utf8"))
        .split("\n")
        .map((line) => line.trim())
        .filter(Boolean)
    : undefined;
  const source = { name: form.name, train, test, classes: form.classes, ...(classNames && { classNames }) };
  return Object.freeze({ ...dataset(source, options), augment: { flip: true, shift: 4 } });
}

async function readRecords(paths: readonly string[], { labels: before, classes }: Form): Promise<Images> {
  const record = before + PIXELS;
  const files = await Promise.all(paths.map((path) => readFile(path)));
  files.forEach((file, i) => {
    if (file.length === 0 || file.length % record !== 0) {
      throw badFile(
        paths[i]!,
        file.length - (file.length % record),
        `whole records of ${record} bytes (${before} of label, ${PIXELS} of pixels)`,
        file.length === 0 ? "an empty file" : `${file.length % record} bytes`,
        "Fetch the file again.",
      );
    }
  });
  const count = files.reduce((sum, file) => sum + file.length / record, 0);
  const pixels = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  let sample = 0;
  files.forEach((file, i) => {
    for (let offset = 0; offset < file.length; offset += record, sample++) {
      const label = file[offset + before - 1]!;
      if (label >= classes) {
        const expected = `a label from 0 to ${classes - 1}`;
        throw badFile(paths[i]!, offset + before - 1, expected, `${label}`, "Fetch the file again.");
      }
      labels[sample] = label;
      interleave(file.subarray(offset + before, offset + record), pixels.subarray(sample * PIXELS));
    }
  });
  return { pixels, labels, shape: SHAPE };
}

/** The red, the green and the blue plane, to pixels of three channels. */
function interleave(planes: Uint8Array, pixels: Uint8Array): void {
  for (let i = 0; i < PLANE; i++) {
    for (let channel = 0; channel < 3; channel++) pixels[3 * i + channel] = planes[channel * PLANE + i]!;
  }
}
