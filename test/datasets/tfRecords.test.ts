import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { type BatchOptions, datasets, type Split } from "../../datasets/index.js";
import { directory } from "./files.js";
import { imageNetFolder, imageNetRecords } from "./imageNet.js";

const SHARDS = ["train-00000-of-00002", "train-00001-of-00002", "validation-00000-of-00001"] as const;
const fixture = (name: string): string => new URL(`fixtures/${name}`, import.meta.url).pathname;

/** The files that Python's TensorFlow wrote (fixtures/records.py), under other names where asked. */
function written(rename: (name: string) => string = (name) => name): string {
  const root = directory();
  for (const name of SHARDS) copyFileSync(fixture(`records-${name}`), join(root, rename(name)));
  return root;
}

const OPTIONS = { size: [12, 16], classes: 3, validation: 0 } as const;

interface Seen {
  readonly labels: number[];
  readonly images: number[][];
}

async function read(split: Split, options: Partial<BatchOptions> = {}): Promise<Seen> {
  const seen: Seen = { labels: [], images: [] };
  for await (const { x, y } of split.batches({ batchSize: 2, ...options })) {
    seen.labels.push(...y.dataSync());
    for (const image of tf.unstack(x)) {
      seen.images.push(Array.from(image.dataSync(), (value) => Math.round(255 * value)));
      image.dispose();
    }
    tf.dispose([x, y]);
  }
  return seen;
}

const refusal = (message: RegExp): unknown =>
  expect.objectContaining({ code: "bad-file", message: expect.stringMatching(message) });

describe("datasets.tfRecords", () => {
  test("reads what TensorFlow wrote, classes counted from 0, in the order of the files", async () => {
    const data = await datasets.tfRecords(written(), OPTIONS);
    expect([data.train.size, data.test.size, data.train.classes]).toEqual([5, 2, 3]);
    expect(data.train.shape).toEqual([12, 16, 3]);
    const train = await read(data.train, { seed: 1 });
    expect([...train.labels].sort()).toEqual([0, 0, 1, 2, 2]);
    const { labels, images } = await read(data.test);
    expect(labels).toEqual([1, 2]);
    for (const [i, value] of images[1]!.entries())
      expect(Math.abs(value - [250, 120, 20][i % 3]!)).toBeLessThanOrEqual(2);
  });

  test.each([
    (name: string) => `imagenet2012-${name.replace("-0000", ".tfrecord-0000")}`,
    (name: string) => `${name.replace("validation", "val")}.tfrecord`,
  ])("knows shards by other names", async (rename) => {
    const data = await datasets.tfRecords(written(rename), { ...OPTIONS, firstLabel: 1 });
    expect([data.train.size, data.test.size]).toEqual([5, 2]);
  });

  test.each(["stretch", "crop"] as const)(
    "gives the images of a folder, fit %s, bit for bit",
    async (fit) => {
      const extent = { classes: 2, train: 3, validation: 2 };
      const options = { size: 24, fit, validation: 0 } as const;
      const folder = await datasets.imageFolder(await imageNetFolder(directory(), extent), {
        ...options,
        ...(fit === "stretch" && { inMemory: false }),
      });
      const records = await datasets.tfRecords(await imageNetRecords(directory(), extent), {
        ...options,
        classes: 2,
      });
      expect(records.augment).toEqual(folder.augment);
      expect(await read(records.test)).toEqual(await read(folder.test));
      expect(records.train.size).toBe(folder.train.size);
    },
  );

  test("gives the same batches for the same seed, wherever it starts", async () => {
    const data = await datasets.tfRecords(await imageNetRecords(directory()), {
      size: 16,
      fit: "crop",
      classes: 3,
    });
    const options = { seed: 5, epoch: 2, augment: data.augment! };
    const whole = await read(data.train, options);
    expect(await read(data.train, options)).toEqual(whole);
    expect((await read(data.train, { ...options, skip: 4 })).images).toEqual(whole.images.slice(8));
    expect((await read(data.train, { ...options, epoch: 3 })).images).not.toEqual(whole.images);
    const [a, b] = data.train.halves(1);
    expect(a.size + b.size).toBe(data.train.size);
    expect(data.validation.size).toBe(2);
  });

  test("frees what it held", async () => {
    const data = await datasets.tfRecords(written(), OPTIONS);
    const before = tf.memory().numTensors;
    await read(data.train);
    expect(tf.memory().numTensors).toBe(before);
  });

  const CUT = "train-00001-of-00002";
  const changed = (change: (bytes: Buffer) => Buffer): string => {
    const root = written();
    writeFileSync(join(root, CUT), change(readFileSync(join(root, CUT))));
    return root;
  };

  test("a file that ends within a record is refused when it is opened, by file and byte", async () => {
    const whole = readFileSync(fixture(`records-${CUT}`));
    const second = 16 + Number(whole.readBigUInt64LE(0));
    const cut = changed((bytes) => bytes.subarray(0, bytes.length - 1));
    await expect(datasets.tfRecords(cut, OPTIONS)).rejects.toEqual(
      refusal(
        new RegExp(
          `a record of \\d+ bytes, received the end of the file at \\d+ at byte ${second} of .*${CUT}`,
        ),
      ),
    );
    const head = changed((bytes) => bytes.subarray(0, second + 5));
    await expect(datasets.tfRecords(head, OPTIONS)).rejects.toEqual(
      refusal(new RegExp(`12 bytes before a record.*at byte ${second} of`)),
    );
  });

  test("a length that is damaged is refused when it is opened", async () => {
    const root = changed((bytes) => Buffer.concat([Buffer.from([bytes[0]! ^ 1]), bytes.subarray(1)]));
    await expect(datasets.tfRecords(root, OPTIONS)).rejects.toEqual(
      refusal(new RegExp(`checksum, received .* at byte 0 of .*${CUT}`)),
    );
  });

  test("data that is damaged fails its batch, by file and byte", async () => {
    const root = changed((bytes) => {
      bytes[bytes.length - 40]! ^= 1;
      return bytes;
    });
    const { train } = await datasets.tfRecords(root, OPTIONS);
    const before = tf.memory().numTensors;
    await expect(read(train)).rejects.toEqual(refusal(new RegExp(`corrupted record.*${CUT}`)));
    expect(tf.memory().numTensors).toBe(before);
  });

  test("features and classes that are not there are named", async () => {
    await expect(datasets.tfRecords(written(), { ...OPTIONS, image: "image" })).rejects.toEqual(
      refusal(/Feature.*image.*at byte 0 of .*train-00000/),
    );
    const { train } = await datasets.tfRecords(written(), { ...OPTIONS, classes: 2 });
    await expect(read(train)).rejects.toEqual(refusal(/class from 1 to 2, received 3.*train-0000[01]-of/));
    await expect(datasets.tfRecords(written(), { ...OPTIONS, firstLabel: 2 })).rejects.toEqual(
      refusal(/class from 2 to 4, received 1/),
    );
  });

  test("shards that are missing, and directories without any, are refused", async () => {
    const root = written();
    rmSync(join(root, SHARDS[0]));
    await expect(datasets.tfRecords(root, OPTIONS)).rejects.toEqual(
      refusal(/train-00000-of-00002 and so on, received 1 of 2, without number 0/),
    );
    await expect(datasets.tfRecords(directory(), OPTIONS)).rejects.toEqual(refusal(/train.*received none/));
    await expect(datasets.tfRecords("/nowhere/at/all", OPTIONS)).rejects.toEqual(refusal(/readable/));
  });

  test.each([{ size: 0 }, { classes: 0 }, { firstLabel: 0.5 }])("refuses %j", async (wrong) => {
    await expect(datasets.tfRecords(written(), { ...OPTIONS, ...wrong })).rejects.toEqual(
      expect.objectContaining({ code: "bad-option" }),
    );
  });
});
