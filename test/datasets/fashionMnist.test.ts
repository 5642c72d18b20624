import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { type Dataset, datasets, type Split } from "../../datasets/index.js";

const FOLDER = new URL("../../datasets/fashion-mnist/", import.meta.url);

/** What ORIGIN.md says of each file: SHA-256 of the unpacked bytes, and the header that Debian left out. */
const ORIGIN = readFileSync(new URL("ORIGIN.md", FOLDER), "utf8")
  .split("\n")
  .filter((line) => /ubyte\.gz +\|/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()));

/** The checksums that Zalando publishes. */
const PUBLISHED: Readonly<Record<string, string>> = {
  "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
  "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
  "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
  "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
};

const digest = (kind: string, bytes: Uint8Array): string => createHash(kind).update(bytes).digest("hex");

describe("the shipped files", () => {
  test.each(ORIGIN)("%s %s", (_, name, bytes, sha256, unpackedBytes, unpackedSha256, time) => {
    const file = readFileSync(new URL(name!, FOLDER));
    const unpacked = gunzipSync(file);
    expect([file.length, digest("sha256", file)]).toEqual([Number(bytes), sha256]);
    expect([unpacked.length, digest("sha256", unpacked)]).toEqual([Number(unpackedBytes), unpackedSha256]);

    const head = Buffer.from([0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3]);
    head.writeUInt32LE(Number(time), 4);
    const published = Buffer.concat([head, Buffer.from(`${name!.replace(".gz", "")}\0`), file.subarray(10)]);
    expect(digest("md5", published)).toBe(PUBLISHED[name!]);
  });

  test("are four", () => expect(ORIGIN).toHaveLength(4));
});

describe("datasets.fashionMnist", () => {
  let data: Dataset;
  beforeAll(async () => {
    data = await datasets.fashionMnist();
  });

  const labels = async (split: Split): Promise<number[]> => {
    const counts = new Array<number>(10).fill(0);
    for await (const { x, y } of split.batches({ batchSize: 1000 })) {
      for (const label of y.dataSync()) counts[label]!++;
      tf.dispose([x, y]);
    }
    return counts;
  };

  test("has 55,000, 5,000 and 10,000 images of ten classes", async () => {
    expect([data.train.size, data.validation.size, data.test.size]).toEqual([55000, 5000, 10000]);
    expect([data.name, data.train.shape, data.train.classes]).toEqual(["fashion-mnist", [28, 28, 1], 10]);
    expect(data.classNames?.[9]).toBe("Ankle boot");
    const [train, validation] = [await labels(data.train), await labels(data.validation)];
    expect(train.map((count, label) => count + validation[label]!)).toEqual(new Array(10).fill(6000));
    expect(await labels(data.test)).toEqual(new Array(10).fill(1000));
    expect(Math.min(...validation)).toBeGreaterThan(400);
  });

  test("gives the first test images as they lie in the file", async () => {
    const bytes = gunzipSync(readFileSync(new URL("t10k-images-idx3-ubyte.gz", FOLDER))).subarray(
      16,
      16 + 128 * 784,
    );
    for await (const { x, y } of data.test) {
      expect([x.shape, x.dtype, y.shape, y.dtype]).toEqual([[128, 28, 28, 1], "float32", [128], "int32"]);
      expect(x.dataSync()).toEqual(Float32Array.from(bytes, (byte) => byte / 255));
      expect([...y.dataSync().slice(0, 5)]).toEqual([9, 2, 1, 1, 6]);
      tf.dispose([x, y]);
      break;
    }
  });

  test("gives batches whose bits stay what they are from release to release", async () => {
    const hash = createHash("sha256");
    const options = { batchSize: 128, seed: 7, epoch: 3, augment: { flip: true, shift: 2 } };
    for await (const { x, y } of data.train.take(10000).batches(options)) {
      for (const tensor of [x, y]) hash.update(new Uint8Array(tensor.dataSync().buffer));
      tf.dispose([x, y]);
    }
    expect(hash.digest("hex")).toBe("71bfe191359b43d9ccdb2cf8d12fa33a8b1aae734cd213dfdd7aa58a68f1b34b");
  });

  test("keeps pixels as bytes and leaves no tensor behind", async () => {
    const before = tf.memory().numTensors;
    for await (const { x, y } of data.validation.batches({ batchSize: 512, seed: 1 })) tf.dispose([x, y]);
    expect(tf.memory().numTensors).toBe(before);
  });
});
