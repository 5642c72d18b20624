import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import * as tf from "@tensorflow/tfjs";
import { engine } from "../../sdk/index.js";
import { checksums } from "../../sdk/model/savedModel/checksum.js";

/** How many images of how many classes, and how large. */
export interface Extent {
  readonly classes?: number;
  /** Of each class. */
  readonly train?: number;
  /** Of each class. */
  readonly validation?: number;
  readonly height?: number;
  readonly width?: number;
}

export interface Picture {
  readonly split: "train" | "validation";
  /** From 0. */
  readonly label: number;
  /** Of a JPEG file. */
  readonly bytes: Uint8Array;
}

interface Backend {
  encodeJpeg(pixels: Uint8Array, shape: readonly number[], ...options: unknown[]): tf.Tensor;
  readSync(dataId: object): Uint8Array[];
}

/** As ImageNet's folders are called. */
const synset = (label: number): string => `n0144${String(label).padStart(4, "0")}`;

/** Small photographs of no thing: each class has waves of its own length and colour, so that a network can tell them apart. */
export async function pictures(extent: Extent = {}): Promise<Picture[]> {
  const { classes = 3, train = 8, validation = 4, height = 72, width = 96 } = extent;
  if ((await engine()).name !== "native") throw new Error("Expected the native engine, which encodes JPEG.");
  const backend = tf.backend() as unknown as Backend;
  const picture = (label: number, n: number): Uint8Array => {
    const pixels = new Uint8Array(height * width * 3);
    for (let i = 0; i < pixels.length; i++) {
      const [row, column, channel] = [Math.floor(i / (3 * width)), Math.floor(i / 3) % width, i % 3];
      const wave = Math.sin((row + 3 * n) / (3 + label)) * Math.cos((column - 5 * n) / (4 + label));
      pixels[i] = 128 + 60 * wave + (channel === label % 3 ? 50 : -20) + 10 * Math.sin(row * column + n);
    }
    const options = ["", 92, false, false, true, "in", 300, 300, ""];
    const encoded = backend.encodeJpeg(pixels, [height, width, 3], ...options);
    const [bytes] = backend.readSync(encoded.dataId);
    encoded.dispose();
    return bytes!;
  };
  const parts = [
    { split: "train", count: train, first: 0 },
    { split: "validation", count: validation, first: train },
  ] as const;
  return parts.flatMap(({ split, count, first }) =>
    Array.from({ length: classes * count }, (_, i) => {
      const label = Math.floor(i / count);
      return { split, label, bytes: picture(label, first + (i % count)) };
    }),
  );
}

/**
 * ImageNet as folders, small: `train/n01440000/n01440000_0.JPEG`, `val/...`; written into `directory`, which is also returned.
 * Without options 24 images of 72 x 96 to train on and 12 to test on, of 3 classes, in less than a second.
 *
 * @example
 * const data = await datasets.imageFolder(await imageNetFolder(directory()), { size: 64, fit: "crop" });
 */
export async function imageNetFolder(directory: string, extent?: Extent): Promise<string> {
  for (const [n, { split, label, bytes }] of (await pictures(extent)).entries()) {
    const folder = join(directory, split === "train" ? "train" : "val", synset(label));
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${synset(label)}_${n}.JPEG`), bytes);
  }
  return directory;
}

/**
 * The same images as TFRecords in the layout of ImageNet's usual conversion, classes counted from 1: `train-00000-of-00002`,
 * `train-00001-of-00002`, `validation-00000-of-00001`.
 *
 * @example
 * const data = await datasets.tfRecords(await imageNetRecords(directory()), { size: 64, fit: "crop", classes: 3 });
 */
export async function imageNetRecords(directory: string, extent?: Extent): Promise<string> {
  const all = await pictures(extent);
  const [train, validation] = ["train", "validation"].map((name) =>
    all.filter(({ split }) => split === name),
  );
  const middle = Math.ceil(train!.length / 2);
  const files = {
    "train-00000-of-00002": train!.slice(0, middle),
    "train-00001-of-00002": train!.slice(middle),
    "validation-00000-of-00001": validation!,
  };
  const sum = await checksums();
  const framed = (data: Uint8Array): Buffer => {
    const [length, crc, foot] = [Buffer.alloc(8), Buffer.alloc(4), Buffer.alloc(4)];
    length.writeBigUInt64LE(BigInt(data.length));
    crc.writeUInt32LE(sum().add(length).masked());
    foot.writeUInt32LE(sum().add(data).masked());
    return Buffer.concat([length, crc, data, foot]);
  };
  for (const [name, part] of Object.entries(files))
    writeFileSync(join(directory, name), Buffer.concat(part.map((picture) => framed(example(picture)))));
  return directory;
}

/** A tensorflow.Example: features(1) { feature(1) map<string, bytes_list(1) or int64_list(3)> }. */
function example({ label, bytes }: Picture): Uint8Array {
  const field = (number: number, value: Uint8Array): Uint8Array =>
    new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(value).finish();
  const entry = (name: string, feature: Uint8Array): Uint8Array =>
    field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, feature)]));
  const number = new BinaryWriter()
    .tag(1, WireType.Varint)
    .int64(label + 1)
    .finish();
  const features = [
    entry("image/encoded", field(1, field(1, bytes))),
    entry("image/class/label", field(3, number)),
  ];
  return field(1, Buffer.concat(features));
}
