import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A directory with these files, gone after the test. */
export function directory(files: Readonly<Record<string, Uint8Array>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), "autoqnn-datasets-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(path, name), bytes);
  return path;
}

/** An IDX file of bytes. */
export function idxFile(dimensions: readonly number[], values: ArrayLike<number>): Buffer {
  const head = Buffer.alloc(4 + 4 * dimensions.length);
  head.set([0, 0, 8, dimensions.length]);
  dimensions.forEach((size, i) => {
    head.writeUInt32BE(size, 4 + 4 * i);
  });
  return Buffer.concat([head, Uint8Array.from(values)]);
}

/** Small but complete: 20 images of 3 x 4 to train on, 6 to test on; pixel i of image n is 12 n + i. */
export function idxFiles(): Record<"train-images" | "train-labels" | "t10k-images" | "t10k-labels", Buffer> {
  const ramp = (length: number): number[] => Array.from({ length }, (_, i) => i % 256);
  return {
    "train-images": idxFile([20, 3, 4], ramp(240)),
    "train-labels": idxFile(
      [20],
      ramp(20).map((i) => i % 5),
    ),
    "t10k-images": idxFile([6, 3, 4], ramp(72)),
    "t10k-labels": idxFile([6], [0, 1, 2, 3, 4, 0]),
  };
}
