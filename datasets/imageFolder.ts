import { kMaxLength } from "node:buffer";
import { readdir, readFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { engine } from "../sdk/engine/index.js";
import { AutoqnnError } from "../sdk/errors.js";
import { badFile } from "./badFile.js";
import { dataset, type ValidationOptions } from "./dataset.js";
import type { Images } from "./gather.js";
import { random, shuffled } from "./random.js";
import type { Dataset } from "./split.js";

export interface ImageFolderOptions extends ValidationOptions {
  /** Every image is stretched to this many pixels: height and width, or both at once. Default: images as they are. */
  readonly size?: number | readonly [height: number, width: number];
  /** 3: red, green, blue; 1: grey. Default: 3. */
  readonly channels?: 1 | 3;
}

interface Labelled {
  readonly path: string;
  readonly label: number;
}

/**
 * Reads JPEG and PNG files, one folder per class: `directory/CLASS/*`, a tenth of which (always the same) becomes the test
 * split, or `directory/train/CLASS/*` and `directory/test/CLASS/*`. TensorFlow decodes them and resizes them bilinearly.
 * Names that begin with a dot are passed over.
 *
 * @throws AutoqnnError `bad-file` naming the file, for what is no image, an empty folder, and images of several sizes where
 * no `size` is given; `engine` without the native engine, which decodes.
 * @example
 * const data = await datasets.imageFolder("flowers/", { size: 96 });
 */
export async function imageFolder(directory: string, options: ImageFolderOptions = {}): Promise<Dataset> {
  const decode = await decoder(options);
  const top = await folders(directory);
  const parted = top.includes("train") && top.includes("test");
  const classNames = parted ? await folders(join(directory, "train")) : top;
  const [train, test] = parted
    ? [await files(join(directory, "train"), classNames), await files(join(directory, "test"), classNames)]
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
  const pixels = { train: await read(train, decode), test: await read(test, decode) };
  if (pixels.test.shape.join() !== pixels.train.shape.join())
    throw unlike(test[0]!.path, pixels.train, pixels.test);
  return dataset(
    { name: basename(resolve(directory)), ...pixels, classes: classNames.length, classNames },
    options,
  );
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

interface Decoded {
  readonly shape: Images["shape"];
  readonly pixels: ArrayLike<number>;
}

async function read(
  list: readonly Labelled[],
  decode: (bytes: Uint8Array, path: string) => Decoded,
): Promise<Images> {
  const decodeAt = async ({ path }: Labelled): Promise<Decoded> => {
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw badFile(path, 0, "a readable image", "none", "Check the file and its permissions.", cause);
    });
    return decode(bytes, path);
  };
  const first = await decodeAt(list[0]!);
  const images = room(list.length, first.shape, list[0]!.path);
  for (const [n, entry] of list.entries()) {
    const { shape, pixels } = n === 0 ? first : await decodeAt(entry);
    if (shape.join() !== images.shape.join()) throw unlike(entry.path, images, { shape });
    images.pixels.set(pixels, n * pixels.length);
    images.labels[n] = entry.label;
  }
  return images;
}

function room(count: number, shape: Images["shape"], path: string): Images {
  const bytes = shape.reduce((product, size) => product * size, count);
  if (bytes <= kMaxLength) return { pixels: new Uint8Array(bytes), labels: new Uint16Array(count), shape };
  const received = `${count} images of ${shape.join(" x ")}`;
  throw badFile(path, 0, `at most ${kMaxLength} bytes of pixels`, received, "Give a smaller size.");
}

function unlike(
  path: string,
  expected: Pick<Images, "shape">,
  received: Pick<Images, "shape">,
): AutoqnnError {
  const [all, this_] = [expected.shape.join(" x "), received.shape.join(" x ")];
  return badFile(
    path,
    0,
    `an image of ${all}, as the others`,
    this_,
    "Give a size, to which all are stretched.",
  );
}

/** The two operations of tfjs's node backend that decode. */
interface Backend {
  decodeJpeg(
    contents: Uint8Array,
    channels: number,
    ratio: number,
    fancyUpscaling: boolean,
    tryRecoverTruncated: boolean,
    acceptableFraction: number,
    dctMethod: string,
  ): tf.Tensor3D;
  decodePng(contents: Uint8Array, channels: number): tf.Tensor3D;
}

const FORMATS: readonly {
  starts: string;
  decode(backend: Backend, bytes: Uint8Array, channels: number): tf.Tensor3D;
}[] = [
  {
    starts: "ffd8ff",
    decode: (backend, bytes, channels) => backend.decodeJpeg(bytes, channels, 1, true, false, 1, ""),
  },
  { starts: "89504e470d0a1a0a", decode: (backend, bytes, channels) => backend.decodePng(bytes, channels) },
];

async function decoder(options: ImageFolderOptions): Promise<(bytes: Uint8Array, path: string) => Decoded> {
  const { size, channels = 3 } = options;
  const target = typeof size === "number" ? ([size, size] as const) : size;
  if (target && !target.every((pixels) => Number.isInteger(pixels) && pixels > 0)) {
    const message = `Expected a size of whole pixels, 1 or more, received ${target.join(" x ")}.`;
    throw new AutoqnnError("bad-option", message, "Give { size: 96 } or { size: [64, 96] }.");
  }
  if ((await engine()).name !== "native") {
    const message = "Expected the native engine to decode images, received the reference engine.";
    throw new AutoqnnError("engine", message, "Unset AUTOQNN_ENGINE; autoqnn doctor tells what is missing.");
  }
  const backend = tf.backend() as unknown as Backend;
  return (bytes, path) => {
    const head = Buffer.from(bytes.subarray(0, 8)).toString("hex");
    const format = FORMATS.find(({ starts }) => head.startsWith(starts));
    if (!format)
      throw badFile(path, 0, "a JPEG or PNG image", head || "an empty file", "Convert or remove the file.");
    return tf.tidy(() => {
      const image = decoded(() => format.decode(backend, bytes, channels), path, bytes.length);
      const [height, width] = image.shape;
      if (!target || (target[0] === height && target[1] === width)) {
        return { shape: [height, width, channels], pixels: image.dataSync() };
      }
      const stretched = tf.image.resizeBilinear(
        tf.tensor3d(image.dataSync(), image.shape),
        [target[0], target[1]],
        false,
        true,
      );
      return { shape: [...target, channels], pixels: Uint8Array.from(stretched.dataSync(), Math.round) };
    });
  };
}

function decoded(decode: () => tf.Tensor3D, path: string, length: number): tf.Tensor3D {
  try {
    return decode();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badFile(path, length, "an undamaged image", `"${reason}"`, "Replace or remove the file.", cause);
  }
}
