import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { datasets, type Split } from "../../datasets/index.js";
import { directory } from "./files.js";
import { imageNetFolder } from "./imageNet.js";

/** 6 rows of 4 pixels, all (250, 120, 20) or one beside it. */
const JPEG = readFileSync(new URL("fixtures/orange.jpg", import.meta.url));

function chunk(kind: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** A PNG of height rows, width columns, whose pixel values count up from `first`. */
function png(height: number, width: number, first: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2], 8);
  const rows = Array.from({ length: height }, (_, row) =>
    Buffer.from([0, ...Array.from({ length: 3 * width }, (_, i) => first + row * 3 * width + i)]),
  );
  const signature = Buffer.from("89504e470d0a1a0a", "hex");
  const data = chunk("IDAT", deflateSync(Buffer.concat(rows)));
  return Buffer.concat([signature, chunk("IHDR", head), data, chunk("IEND", Buffer.alloc(0))]);
}

/** A directory of folders of files. */
function tree(files: Readonly<Record<string, Uint8Array>>): string {
  const root = directory();
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
  return root;
}

async function read(split: Split): Promise<{ labels: number[]; images: number[][] }> {
  const [labels, images]: [number[], number[][]] = [[], []];
  for await (const { x, y } of split.batches({ batchSize: 1 })) {
    labels.push(y.dataSync()[0]!);
    images.push(Array.from(x.dataSync(), (value) => Math.round(255 * value)));
    tf.dispose([x, y]);
  }
  return { labels, images };
}

const parted = (extra: Readonly<Record<string, Uint8Array>> = {}): string =>
  tree({
    "train/ant/1.png": png(6, 4, 0),
    "train/ant/.hidden": Buffer.from("not an image"),
    "train/bee/1.jpeg": JPEG,
    "test/bee/misnamed.txt": png(6, 4, 100),
    "test/ant/2.png": png(6, 4, 50),
    ...extra,
  });
const ramp = (first: number): number[] => Array.from({ length: 72 }, (_, i) => first + i);

describe("datasets.imageFolder", () => {
  test("reads train and test folders, PNG exactly and JPEG nearly", async () => {
    const data = await datasets.imageFolder(parted(), { validation: 0 });
    expect([data.train.shape, data.train.classes, data.classNames]).toEqual([[6, 4, 3], 2, ["ant", "bee"]]);
    expect(await read(data.test)).toEqual({ labels: [0, 1], images: [ramp(50), ramp(100)] });
    const { labels, images } = await read(data.train);
    expect(images[labels.indexOf(0)]).toEqual(ramp(0));
    images[labels.indexOf(1)]!.forEach((value, i) => {
      expect(Math.abs(value - [250, 120, 20][i % 3]!)).toBeLessThanOrEqual(2);
    });
  });

  test("reads ImageNet's folders, whose test images lie in val", async () => {
    const root = await imageNetFolder(directory(), { classes: 2, train: 3, validation: 2 });
    const data = await datasets.imageFolder(root, { size: 32, fit: "crop", validation: 2 });
    expect([data.train.size, data.validation.size, data.test.size, data.train.classes]).toEqual([4, 2, 4, 2]);
    expect((await read(data.test)).labels).toEqual([0, 0, 1, 1]);
  });

  test("sets a tenth of one folder per class aside, always the same", async () => {
    const files = ["a", "b"].flatMap((name) =>
      Array.from({ length: 10 }, (_, n) => [`${name}/${n}.png`, png(2, 2, 10 * n)] as const),
    );
    const root = tree(Object.fromEntries(files));
    const [one, two] = [await datasets.imageFolder(root), await datasets.imageFolder(root)];
    expect([one.train.size, one.validation.size, one.test.size]).toEqual([17, 1, 2]);
    expect(await read(one.test)).toEqual(await read(two.test));
    const parts = [await read(one.train), await read(one.validation), await read(one.test)];
    const all = parts.flatMap(({ labels, images }) =>
      labels.map((label, i) => `${label}/${images[i]![0]! / 10}`),
    );
    expect(all.sort()).toEqual(
      files.map(([path]) => path.replace("a", "0").replace("b", "1").replace(".png", "")).sort(),
    );
  });

  test("stretches to a size bilinearly, from pixel centre to pixel centre", async () => {
    const root = tree({ "train/a/1.png": png(2, 2, 0), "test/a/1.png": png(4, 6, 0) });
    const data = await datasets.imageFolder(root, { size: [1, 2], validation: 0 });
    // Rows of (0 1 2)(3 4 5) and (6 7 8)(9 10 11): their mean.
    expect((await read(data.train)).images).toEqual([[3, 4, 5, 6, 7, 8]]);
    expect((await datasets.imageFolder(root, { size: 8, validation: 0 })).test.shape).toEqual([8, 8, 3]);
    expect((await datasets.imageFolder(root, { size: 8, channels: 1, validation: 0 })).test.shape).toEqual([
      8, 8, 1,
    ]);
  });

  test("gives the same batches from memory and from the files", async () => {
    const sizes = [5, 9, 12, 16, 23];
    const files = sizes.flatMap((size, n) =>
      ["a", "b"].map((name) => [`${name}/${n}.png`, png(size, 28 - size, 11 * n + size)] as const),
    );
    const root = tree({ ...Object.fromEntries(files), "a/9.jpg": JPEG });
    const batches = async (inMemory: boolean): Promise<Float32Array[]> => {
      const { train } = await datasets.imageFolder(root, { size: [7, 10], validation: 0, inMemory });
      const seen: Float32Array[] = [];
      for await (const { x, y } of train.batches({
        batchSize: 4,
        seed: 3,
        augment: { flip: true, shift: 2 },
      })) {
        seen.push(x.dataSync() as Float32Array, Float32Array.from(y.dataSync()));
        tf.dispose([x, y]);
      }
      return seen;
    };
    const kept = await batches(true);
    expect(kept.map(({ length }) => length)).toEqual([840, 4, 840, 4, 420, 2]);
    expect(await batches(false)).toEqual(kept);
  });

  test("rounds what it stretches as Math.round does", async () => {
    const root = tree({ "train/a/1.png": png(9, 7, 3), "test/a/1.png": png(9, 7, 3) });
    const { train } = await datasets.imageFolder(root, { size: [6, 11], validation: 0 });
    const [stretched] = (await read(train)).images;
    const expected = tf.tidy(() => {
      const image = tf.tensor3d(
        Array.from({ length: 189 }, (_, i) => (3 + i) % 256),
        [9, 7, 3],
      );
      return Array.from(tf.image.resizeBilinear(image, [6, 11], false, true).dataSync(), Math.round);
    });
    expect(stretched).toEqual(expected);
  });

  test.each<[string, Record<string, Uint8Array>, RegExp]>([
    ["no image", { "train/ant/3.png": Buffer.from("hello") }, /JPEG or PNG image.*train.ant.3\.png/],
    ["a cut JPEG", { "train/bee/3.jpg": JPEG.subarray(0, 300) }, /undamaged image.*train.bee.3\.jpg/],
    ["another size", { "train/bee/3.png": png(3, 3, 0) }, /an image of 6 x 4 x 3.*train.bee.3\.png/],
  ])(
    "read from its files, names %s when its batch is made, and frees the rest",
    async (_, extra, message) => {
      const data = await datasets.imageFolder(parted(extra), { inMemory: false, validation: 0 });
      const before = tf.memory().numTensors;
      await expect(read(data.train)).rejects.toEqual(
        expect.objectContaining({ code: "bad-file", message: expect.stringMatching(message) }),
      );
      expect(tf.memory().numTensors).toBe(before);
      expect((await read(data.test)).labels).toEqual([0, 1]);
    },
  );

  test.each<[string, () => string, RegExp]>([
    [
      "mixed sizes",
      () => parted({ "train/bee/2.png": png(3, 3, 0) }),
      /an image of 6 x 4 x 3, as the others, received 3 x 3 x 3 .*2\.png.*Give a size/,
    ],
    [
      "test images of another size",
      () => tree({ "train/a/1.png": png(6, 4, 0), "test/a/1.png": png(3, 3, 0) }),
      /6 x 4 x 3.*3 x 3 x 3/,
    ],
    [
      "a file that is no image",
      () => parted({ "train/bee/notes.txt": Buffer.from("hello") }),
      /JPEG or PNG image, received 68656c6c6f at byte 0 of .*notes\.txt/,
    ],
    [
      "an empty file",
      () => parted({ "train/bee/2.png": Buffer.alloc(0) }),
      /received an empty file at byte 0 of .*2\.png/,
    ],
    [
      "a cut PNG",
      () => parted({ "train/bee/2.png": png(6, 4, 0).subarray(0, 50) }),
      /undamaged image.*at byte 50 of .*2\.png/,
    ],
    [
      "a cut JPEG",
      () => parted({ "train/bee/2.jpg": JPEG.subarray(0, 300) }),
      /undamaged image.*at byte 300 of .*2\.jpg/,
    ],
    [
      "absurd dimensions",
      () => parted({ "train/bee/2.png": png(6, 4, 0).fill(0x7f, 16, 24) }),
      /undamaged image.*2\.png/,
    ],
    [
      "a class that only test has",
      () => parted({ "test/cat/1.png": png(6, 4, 0) }),
      /one of the classes ant, bee, received cat/,
    ],
    [
      "a class without images",
      () => parted({ "train/cat/.keep": Buffer.alloc(0), "test/cat/1.png": png(6, 4, 0) }),
      /at least one image, received an empty folder .*train.cat/,
    ],
    ["no folders", () => tree({ "1.png": png(6, 4, 0) }), /a folder for each class, received none/],
    ["a single image", () => tree({ "a/1.png": png(6, 4, 0) }), /two images or more, received one/],
    ["a path that is not there", () => "/nowhere/at/all", /readable directory/],
  ])("refuses %s", async (_, make, message) => {
    const before = tf.memory().numTensors;
    await expect(datasets.imageFolder(make())).rejects.toEqual(
      expect.objectContaining({ code: "bad-file", message: expect.stringMatching(message) }),
    );
    expect(tf.memory().numTensors).toBe(before);
  });

  test.each([0, 1.5, [4, -1] as const])("refuses the size %j", async (size) => {
    await expect(datasets.imageFolder(parted(), { size })).rejects.toEqual(
      expect.objectContaining({ code: "bad-option" }),
    );
  });
});
