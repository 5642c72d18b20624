import { mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { fingerprint, readCheckpoint, writeCheckpoint } from "../../sdk/train/checkpoint.js";
import type { HostTensor } from "../../sdk/train/snapshot.js";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "checkpoint-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const tensors: Record<string, HostTensor> = {
  a: { shape: [2, 2], dtype: "float32", data: Float32Array.of(1.5, -0, Number.MIN_VALUE, 3e38) },
  flags: { shape: [3], dtype: "bool", data: Uint8Array.of(1, 0, 1) },
  step: { shape: [], dtype: "int32", data: Int32Array.of(-7) },
};

test("what is read is what was written, bit for bit", async () => {
  await writeCheckpoint(directory, "x.safetensors", { tensors, meta: { done: 3, name: "é" } });
  const read = await readCheckpoint(directory, "x.safetensors");
  expect(read?.meta).toEqual({ done: 3, name: "é" });
  expect(read?.tensors).toEqual(tensors);
  expect(Object.is(read?.tensors.a?.data[1], -0)).toBe(true);
});

test("the file is in the safetensors format: length, JSON header, data at the stated offsets", async () => {
  await writeCheckpoint(directory, "x.safetensors", { tensors, meta: {} });
  const body = await readFile(join(directory, "x.safetensors"));
  const length = Number(body.readBigUInt64LE(0));
  const header = JSON.parse(body.toString("utf8", 8, 8 + length));
  expect(length % 8).toBe(0);
  expect(header.a).toMatchObject({ dtype: "F32", shape: [2, 2] });
  expect(body.readFloatLE(8 + length + header.a.data_offsets[0])).toBe(1.5);
});

test("no checkpoint is no error", async () => {
  expect(await readCheckpoint(directory, "none.safetensors")).toBeUndefined();
});

describe("a damaged file is named", () => {
  test("truncated", async () => {
    await writeCheckpoint(directory, "x.safetensors", { tensors, meta: {} });
    const path = join(directory, "x.safetensors");
    await truncate(path, (await stat(path)).size - 4);
    await expect(readCheckpoint(directory, "x.safetensors")).rejects.toMatchObject({ code: "bad-file" });
  });

  test("something else", async () => {
    await writeFile(join(directory, "x.safetensors"), "hello");
    await expect(readCheckpoint(directory, "x.safetensors")).rejects.toThrow(/x\.safetensors/);
  });
});

test("a directory that cannot be written is an AutoqnnError", async () => {
  await writeFile(join(directory, "file"), "");
  const write = writeCheckpoint(join(directory, "file", "below"), "x", { tensors, meta: {} });
  await expect(write).rejects.toMatchObject({ name: "AutoqnnError", code: "bad-file" });
});

test("fingerprints tell values apart, typed arrays included", () => {
  expect(fingerprint({ a: 1 }, Float32Array.of(1))).toBe(fingerprint({ a: 1 }, Float32Array.of(1)));
  expect(fingerprint({ a: 1 }, Float32Array.of(1))).not.toBe(fingerprint({ a: 1 }, Float32Array.of(2)));
});
