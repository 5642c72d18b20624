import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const SIDE = 8;
const CLASSES = 3;

/** Writes a small data set: 8 x 8 images of three classes, told apart by which third of the rows is bright. */
export async function writeIdx(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, count] of [
    ["train", 300],
    ["t10k", 60],
  ] as const) {
    const labels = Uint8Array.from({ length: count }, (_, i) => i % CLASSES);
    const pixels = Uint8Array.from({ length: count * SIDE * SIDE }, (_, i) => {
      const [image, row] = [Math.floor(i / (SIDE * SIDE)), Math.floor(i / SIDE) % SIDE];
      const bright = Math.floor((row * CLASSES) / SIDE) === image % CLASSES;
      return (bright ? 160 : 20) + ((i * 7919 + image * 104729) % 71);
    });
    await writeFile(join(directory, `${name}-images-idx3-ubyte`), file([count, SIDE, SIDE], pixels));
    await writeFile(join(directory, `${name}-labels-idx1-ubyte`), file([count], labels));
  }
}

function file(dimensions: readonly number[], values: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * dimensions.length);
  header.writeUInt8(8, 2);
  header.writeUInt8(dimensions.length, 3);
  for (const [i, size] of dimensions.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  return Buffer.concat([header, values]);
}
