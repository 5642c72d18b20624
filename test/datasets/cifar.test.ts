import { unlinkSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import { datasets } from "../../datasets/index.js";
import { directory } from "./files.js";

const PLANE = 1024;

/** Records of one red, green and blue value each, in planes as CIFAR stores them. */
function records(labels: readonly (readonly number[])[], colour: readonly [number, number, number]): Buffer {
  const pixels = Buffer.concat(colour.map((value) => Buffer.alloc(PLANE, value)));
  return Buffer.concat(labels.flatMap((label) => [Uint8Array.from(label), pixels]));
}

function cifar10(): Record<string, Buffer> {
  const parts = [1, 2, 3, 4, 5].map((part) => [
    `data_batch_${part}.bin`,
    records([[part], [9], [0], [part]], [part, 2, 3]),
  ]);
  const names = Buffer.from("airplane\nautomobile\nbird\n\n");
  return {
    ...Object.fromEntries(parts),
    "test_batch.bin": records([[4], [7]], [10, 20, 30]),
    "batches.meta.txt": names,
  };
}

const cifar100 = (): Record<string, Buffer> => ({
  "train.bin": records(
    Array.from({ length: 10 }, (_, i) => [i, 90 + i]),
    [1, 2, 3],
  ),
  "test.bin": records([[19, 99]], [1, 2, 3]),
});

describe("datasets.cifar", () => {
  test("reads CIFAR-10, planes turned into pixels", async () => {
    const data = await datasets.cifar(directory(cifar10()), { validation: 3 });
    expect([data.name, data.train.size, data.validation.size, data.test.size]).toEqual([
      "cifar-10",
      17,
      3,
      2,
    ]);
    expect([data.train.shape, data.train.classes]).toEqual([[32, 32, 3], 10]);
    expect(data.classNames).toEqual(["airplane", "automobile", "bird"]);
    for await (const { x, y } of data.test) {
      expect([...y.dataSync()]).toEqual([4, 7]);
      expect(Array.from(x.dataSync().slice(0, 6), (value) => Math.round(255 * value))).toEqual([
        10, 20, 30, 10, 20, 30,
      ]);
      tf.dispose([x, y]);
    }
  });

  test("reads CIFAR-100 by its fine labels", async () => {
    const data = await datasets.cifar(directory(cifar100()));
    expect([data.name, data.train.size, data.validation.size, data.train.classes]).toEqual([
      "cifar-100",
      9,
      1,
      100,
    ]);
    for await (const { x, y } of data.test) {
      expect([...y.dataSync()]).toEqual([99]);
      tf.dispose([x, y]);
    }
  });

  const refusal = (message: RegExp): unknown =>
    expect.objectContaining({ code: "bad-file", message: expect.stringMatching(message) });

  test("refuses a cut file, an empty file and a label out of range, naming file and byte", async () => {
    const cut = { "data_batch_2.bin": cifar10()["data_batch_2.bin"]!.subarray(0, 3073 + 10) };
    const expectation = /whole records of 3073 bytes.*received 10 bytes at byte 3073 of .*data_batch_2\.bin/;
    await expect(datasets.cifar(directory({ ...cifar10(), ...cut }))).rejects.toEqual(refusal(expectation));
    const empty = { "test.bin": Buffer.alloc(0) };
    await expect(datasets.cifar(directory({ ...cifar100(), ...empty }))).rejects.toEqual(
      refusal(/empty file.*test\.bin/),
    );
    const label = { "test_batch.bin": records([[1], [10]], [0, 0, 0]) };
    const range = /label from 0 to 9, received 10 at byte 3073 of .*test_batch\.bin/;
    await expect(datasets.cifar(directory({ ...cifar10(), ...label }))).rejects.toEqual(refusal(range));
  });

  test("refuses a directory without all of the files", async () => {
    const path = directory(cifar10());
    unlinkSync(join(path, "data_batch_3.bin"));
    await expect(datasets.cifar(path)).rejects.toEqual(
      refusal(/files of cifar-10, received none called data_batch_3\.bin/),
    );
    await expect(datasets.cifar(directory())).rejects.toEqual(refusal(/received an empty directory/));
    await expect(datasets.cifar("/nowhere/at/all")).rejects.toEqual(refusal(/readable directory/));
  });
});
