import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Dataset, datasets, type Split } from "../../datasets/index.js";
import { engine } from "../../sdk/index.js";
import { directory } from "./files.js";

const FIXTURES = fileURLToPath(new URL("fixtures", import.meta.url));

interface Fixture {
  readonly shape: readonly [number, number, number];
  readonly cases: readonly {
    readonly window: readonly number[];
    readonly png: readonly number[];
    readonly jpg: readonly number[];
  }[];
}

const { shape, cases } = JSON.parse(readFileSync(join(FIXTURES, "crop.json"), "utf8")) as Fixture;

/** One image, through every window. */
async function cut(
  file: string,
  windows: readonly (readonly number[])[],
  folder = FIXTURES,
): Promise<number[][]> {
  const pipeline = {
    images: { shape, files: [join(folder, file)], fit: "crop" as const },
    order: new Int32Array(windows.length),
    windows: Int32Array.from(windows.flat()),
    rows: {},
    batchSize: windows.length,
    body: ({ image }: { image?: tf.Tensor }) => ({ image: image! }),
  };
  const found: number[][] = [];
  for await (const { image } of (await engine()).batches("cut", pipeline)) {
    for (const one of tf.unstack(image!)) found.push([...one.dataSync()]);
    image!.dispose();
  }
  return found;
}

// Pillow's JPEG decoder and TensorFlow's differ: by 3 at most, and by less than a half in the mean.
test.each([
  ["png", 0],
  ["jpg", 3],
] as const)("windows of a %s are those of Pillow, but for %i", async (kind, most) => {
  const found = await cut(
    `crop.${kind}`,
    cases.map(({ window }) => window),
  );
  for (const [i, one] of cases.entries()) {
    const differences = one[kind].map((value, p) => Math.abs(value - found[i]![p]!));
    expect(Math.max(...differences)).toBeLessThanOrEqual(most);
    expect(differences.reduce((sum, value) => sum + value, 0) / differences.length).toBeLessThan(0.5);
  }
});

interface Coder {
  decodeJpeg(...options: unknown[]): tf.Tensor3D;
  encodeJpeg(...options: unknown[]): tf.Tensor;
  encodePng(...options: unknown[]): tf.Tensor;
}

test("a window has the bytes of the whole image, decoded and then cut, colours at half the resolution too", async () => {
  await engine();
  const coder = tf.backend() as unknown as Coder;
  const [height, width] = [150, 200];
  const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => (i * i) >> 5);
  const settings = [[height, width, 3], "", 90, false, false, true, "in", 300, 300, ""];
  const bytes = (encoded: tf.Tensor): Uint8Array =>
    (tf.engine().backend.readSync(encoded.dataId) as unknown as Uint8Array[])[0]!;
  const root = directory();
  tf.tidy(() => {
    const jpg = bytes(coder.encodeJpeg(pixels, ...settings));
    const whole = coder.decodeJpeg(jpg, 3, 1, true, false, 1, "INTEGER_ACCURATE");
    writeFileSync(join(root, "a.jpg"), jpg);
    writeFileSync(
      join(root, "a.png"),
      bytes(coder.encodePng(Uint8Array.from(whole.dataSync()), whole.shape, -1)),
    );
  });
  // Small ones at many places, so that they end everywhere in a block.
  const windows = Array.from({ length: 60 }, (_, n) => [
    2 ** 24 / 20,
    2 ** 16,
    n << 18,
    ((n * 37) % 60) << 18,
  ]);
  const [jpg, png] = [await cut("a.jpg", windows, root), await cut("a.png", windows, root)];
  for (const [n, window] of windows.entries()) expect([window, jpg[n]]).toEqual([window, png[n]]);
});

describe("a folder of images that are cropped", () => {
  let data: Dataset;
  let root: string;

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "crop-"));
    for (const [folder, name] of [
      ["train/a", "crop.jpg"],
      ["train/b", "crop.png"],
      ["test/a", "crop.png"],
      ["test/b", "crop.jpg"],
    ] as const) {
      mkdirSync(join(root, folder), { recursive: true });
      for (let copy = 0; copy < 4; copy++)
        cpSync(join(FIXTURES, name), join(root, folder, `${copy}-${name}`));
    }
    data = await datasets.imageFolder(root, { size: [12, 16], fit: "crop", validation: 2 });
  });

  afterAll(() => rmSync(root, { recursive: true }));

  const values = async (split: Split, options: Parameters<Split["batches"]>[0]): Promise<number[][]> => {
    const found: number[][] = [];
    for await (const { x, y } of split.batches(options)) {
      found.push([...x.dataSync()]);
      tf.dispose([x, y]);
    }
    return found;
  };

  test("shows the middle where nothing is augmented", async () => {
    const [batch] = await values(data.test, { batchSize: 8 });
    const [middle] = await cut("crop.png", [cases[0]!.window]);
    const first = batch!.slice(0, middle!.length);
    for (const [i, value] of middle!.entries()) expect(first[i]).toBeCloseTo(value / 255, 5);
  });

  test("shows other windows in every epoch, the same for the same seed, wherever it starts", async () => {
    const augment = { crop: true, flip: true };
    const epoch = (number: number, skip = 0, batchSize = 2) =>
      values(data.train, { batchSize, seed: 3, epoch: number, augment, skip });
    const first = await epoch(0);
    expect(await epoch(0)).toEqual(first);
    expect(await epoch(1)).not.toEqual(first);
    expect(await epoch(0, 1)).toEqual(first.slice(1));
    expect((await epoch(0, 0, 3)).flat()).toEqual(first.flat());
  });

  test("trains with windows and flips by default", () => {
    expect(data.augment).toEqual({ flip: true, crop: true });
  });
});

describe("what cannot be cropped is refused by name", () => {
  test("images without a size", async () => {
    await expect(datasets.imageFolder(directory(), { fit: "crop" })).rejects.toThrow(/no size/);
  });

  test("images in memory", async () => {
    const options = { size: 8, fit: "crop", inMemory: true } as const;
    await expect(datasets.imageFolder(directory(), options)).rejects.toThrow(/inMemory/);
  });

  test("areas and proportions that are none", async () => {
    const root = directory();
    for (const folder of ["train/a", "test/a"]) {
      mkdirSync(join(root, folder), { recursive: true });
      for (const copy of [0, 1]) cpSync(join(FIXTURES, "crop.png"), join(root, folder, `${copy}.png`));
    }
    const { train } = await datasets.imageFolder(root, { size: 8, fit: "crop", validation: 0 });
    const ask = (crop: object) => () => train.batches({ batchSize: 1, seed: 1, augment: { crop } });
    expect(ask({ area: [0.5, 0.1] })).toThrow(/area/);
    expect(ask({ ratio: [0, 1] })).toThrow(/ratio/);
  });

  test("shipped images, which come whole", async () => {
    const { train } = await datasets.fashionMnist();
    expect(() => train.batches({ batchSize: 1, seed: 1, augment: { crop: true } })).toThrow(/imageFolder/);
  });

  test("a file that is no image, by its name", async () => {
    const root = directory();
    for (const folder of ["train/a", "test/a"]) {
      mkdirSync(join(root, folder), { recursive: true });
      for (const copy of [0, 1]) cpSync(join(FIXTURES, "crop.png"), join(root, folder, `${copy}.png`));
    }
    cpSync(join(FIXTURES, "crop.json"), join(root, "test/a/2.png"));
    const { test: split } = await datasets.imageFolder(root, { size: 8, fit: "crop", validation: 0 });
    const read = async () => {
      for await (const { x, y } of split.batches({ batchSize: 3 })) tf.dispose([x, y]);
    };
    await expect(read()).rejects.toThrow(/2\.png/);
  });
});
