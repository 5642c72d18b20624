import { kMaxLength } from "node:buffer";
import { readdir, readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import type { AutoqnnError } from "../sdk/errors.js";
import { badFile } from "./badFile.js";
import { dataset, type ValidationOptions } from "./dataset.js";
import type { Images } from "./images.js";
import type { Dataset } from "./split.js";

export interface IdxOptions extends ValidationOptions {
  /** Number of classes. Default: one more than the largest training label. */
  readonly classes?: number;
  readonly name?: string;
  readonly classNames?: readonly string[];
}

/** The files of a data set, by what their names say. */
const ROLES = {
  "training images": /^.*train.*(images|data)/i,
  "training labels": /^.*train.*labels/i,
  "test images": /^.*(t10k|test).*(images|data)/i,
  "test labels": /^.*(t10k|test).*labels/i,
} as const;

const HINT = "Replace it by the original IDX file of unsigned bytes, as it is or as .gz.";

/**
 * Reads a directory of IDX files, the format of MNIST: images and labels to train on (`train-images...`,
 * `train-labels...`) and to test on (`t10k-...` or `test-...`), each as it is or gzipped.
 *
 * @throws AutoqnnError `bad-file` naming file and byte, for a file that is missing, damaged, too short, too long or of
 * another type, for unequal numbers of images and labels, and for a label out of range.
 * @example
 * const data = await datasets.idx("mnist/", { validation: 5000 });
 */
export async function idx(directory: string, options: IdxOptions = {}): Promise<Dataset> {
  const names = await readdir(directory).catch((cause: unknown) => {
    throw badFile(directory, 0, "a readable directory of IDX files", "none", "Check the path.", cause);
  });
  const find = (role: keyof typeof ROLES): string => {
    const found = names.filter((name) => ROLES[role].test(name));
    if (found.length === 1) return join(directory, found[0]!);
    throw badFile(
      directory,
      0,
      `exactly one file of ${role}`,
      found.length === 0 ? "none" : found.sort().join(", "),
      "Name the four files train-images, train-labels, t10k-images and t10k-labels (-idx3-ubyte, .gz or not).",
    );
  };
  const trainLabels = await readLabels(find("training labels"), options.classes);
  const classes = options.classes ?? 1 + trainLabels.reduce((most, label) => Math.max(most, label), 0);
  const train = await readImages(find("training images"), trainLabels);
  const test = await readImages(find("test images"), await readLabels(find("test labels"), classes));
  if (test.shape.join() !== train.shape.join()) {
    throw badFile(
      find("test images"),
      8,
      `images of shape ${train.shape.join(" x ")}, as in training`,
      test.shape.join(" x "),
      "Put the files of one data set into the directory.",
    );
  }
  const { name = resolve(directory), classNames } = options;
  return dataset({ name, train, test, classes, ...(classNames && { classNames }) }, options);
}

async function readLabels(path: string, classes = 256): Promise<Uint8Array> {
  const { values, start } = await readIdx(path, [1]);
  const wrong = values.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    throw badFile(
      path,
      start + wrong,
      `a label from 0 to ${classes - 1}`,
      `${values[wrong]}`,
      "Correct the label.",
    );
  }
  return values;
}

async function readImages(path: string, labels: Uint8Array): Promise<Images> {
  const { values, dimensions } = await readIdx(path, [3, 4]);
  const [count = 0, height = 0, width = 0, channels = 1] = dimensions;
  if (count !== labels.length) {
    throw badFile(
      path,
      4,
      `${labels.length} images, one for each label`,
      `${count}`,
      "Put both files of one set there.",
    );
  }
  return { pixels: values, labels, shape: [height, width, channels] };
}

/**
 * Reads one IDX file: two zero bytes, the type (8: unsigned byte), the number of dimensions, the dimensions as
 * big-endian 32-bit numbers, the values. The header is checked against the size of the file before anything of the
 * size it claims is allocated. Offsets in errors count unpacked bytes.
 */
async function readIdx(
  path: string,
  ranks: readonly number[],
): Promise<{ dimensions: readonly number[]; values: Uint8Array; start: number }> {
  const file = await readFile(path).catch((cause: unknown) => {
    throw badFile(path, 0, "a readable file", "none", "Check the path and its permissions.", cause);
  });
  const packed = file[0] === 0x1f && file[1] === 0x8b;
  const head = packed ? await unpackHead(path, file) : file;
  const magic = head.subarray(0, 4);
  const rank = magic[3] ?? 0;
  if (magic.length < 4 || magic[0] !== 0 || magic[1] !== 0 || magic[2] !== 8 || !ranks.includes(rank)) {
    const wanted = ranks.map((each) => `00 00 08 0${each}`).join(" or ");
    throw badFile(path, 0, `the magic number ${wanted}`, magic.toString("hex", 0) || "nothing", HINT);
  }
  const start = 4 + 4 * rank;
  if (head.length < start) {
    throw badFile(path, head.length, `${rank} dimensions of 4 bytes each`, "the end of the file", HINT);
  }
  const dimensions = Array.from({ length: rank }, (_, i) => head.readUInt32BE(4 + 4 * i));
  const empty = dimensions.indexOf(0);
  if (empty >= 0) throw badFile(path, 4 + 4 * empty, "a dimension of 1 or more", "0", HINT);
  const size = start + dimensions.reduce((product, dimension) => product * dimension, 1);
  const whole = packed ? await unpack(path, file, size) : file;
  if (whole.length !== size) {
    const received = whole.length < size ? "the end of the file" : `${whole.length} bytes`;
    throw badFile(
      path,
      Math.min(size, whole.length),
      `${size} bytes (${dimensions.join(" x ")})`,
      received,
      HINT,
    );
  }
  return { dimensions, values: whole.subarray(start), start };
}

const gunzip = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.gunzip);
/** No compressed byte of deflate stands for more bytes than this. */
const MOST_PER_BYTE = 1032;

async function unpackHead(path: string, file: Buffer): Promise<Buffer> {
  return gunzip(file.subarray(0, 4096), { finishFlush: zlib.constants.Z_SYNC_FLUSH }).catch(
    (cause: unknown) => {
      throw damaged(path, 0, cause);
    },
  );
}

async function unpack(path: string, file: Buffer, size: number): Promise<Buffer> {
  if (size > Math.min(kMaxLength, file.length * MOST_PER_BYTE)) {
    throw badFile(path, 4, `dimensions that ${file.length} packed bytes can hold`, `${size} bytes`, HINT);
  }
  const whole = await gunzip(file, { maxOutputLength: size }).catch((cause: unknown) => {
    if (cause instanceof RangeError)
      throw badFile(path, size, `the end of ${size} bytes`, "more", HINT, cause);
    throw damaged(path, file.length, cause);
  });
  if (file.readUInt32LE(file.length - 4) !== size % 2 ** 32) {
    throw badFile(path, file.length - 4, `the end of the gzip file (size ${size})`, "other bytes", HINT);
  }
  return whole;
}

function damaged(path: string, offset: number, cause: unknown): AutoqnnError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return badFile(path, offset, "an undamaged gzip file", reason, "Fetch the file again.", cause);
}
