import * as tf from "@tensorflow/tfjs";
import { describe, expect, test } from "vitest";
import type { Images } from "../../datasets/images.js";
import { random, shuffled } from "../../datasets/random.js";
import { type Batch, type BatchOptions, type Split, split } from "../../datasets/split.js";

/** 100 images of 3 x 4 x 2. Pixel (row, column, channel) is 1 + its place, so that 0 shows what a shift uncovers. */
const HEIGHT = 3;
const WIDTH = 4;
const SIZE = HEIGHT * WIDTH * 2;
const images: Images = {
  pixels: Uint8Array.from({ length: 100 * SIZE }, (_, i) => 1 + (i % SIZE)),
  labels: Uint8Array.from({ length: 100 }, (_, n) => n),
  shape: [HEIGHT, WIDTH, 2],
};
const all = split(images, 100);

interface Seen {
  readonly labels: number[];
  readonly pixels: number[];
}

/** Every batch on the host; labels stand for samples here. */
async function read(batches: AsyncIterable<Batch>): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const { x, y } of batches) {
    seen.push({
      labels: [...y.dataSync()],
      pixels: Array.from(x.dataSync(), (value) => Math.round(value * 255)),
    });
    tf.dispose([x, y]);
  }
  return seen;
}
const labelsOf = async (part: Split, options: Partial<BatchOptions> = {}): Promise<number[]> =>
  (await read(part.batches({ batchSize: 16, ...options }))).flatMap(({ labels }) => labels);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
const everyLabel = Array.from({ length: 100 }, (_, n) => n);

describe("order", () => {
  test("without a seed is that of the split, in batches of 128 when iterated directly", async () => {
    expect(await labelsOf(all)).toEqual(everyLabel);
    expect((await read(all)).map(({ labels }) => labels.length)).toEqual([100]);
  });

  test("is a permutation that depends on seed and epoch alone", async () => {
    const first = await labelsOf(all, { seed: 7, epoch: 0 });
    expect(sorted(first)).toEqual(everyLabel);
    expect(await labelsOf(all, { seed: 7, epoch: 0, batchSize: 9 })).toEqual(first);
    expect(await labelsOf(all, { seed: 7, epoch: 0, augment: { flip: true, shift: 1 } })).toEqual(first);
    const others = [
      { seed: 7, epoch: 1 },
      { seed: 8, epoch: 0 },
      { seed: 7 + 2 ** 32, epoch: 0 },
      { seed: -7, epoch: 0 },
    ];
    for (const other of others) expect(await labelsOf(all, other)).not.toEqual(first);
  });

  test("stays what it is from release to release", async () => {
    expect((await labelsOf(all, { seed: 7 })).slice(0, 8)).toEqual([25, 88, 84, 14, 85, 0, 38, 54]);
  });

  test("moves every sample to every place about equally often", () => {
    const small = Uint32Array.of(0, 1, 2, 3);
    const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
    for (let seed = 0; seed < 2000; seed++) {
      for (const [place, label] of shuffled(small, random("order", seed)).entries()) counts[label]![place]!++;
    }
    // 500 expected, with a standard deviation of 19.
    for (const count of counts.flat()) expect(Math.abs(count - 500)).toBeLessThan(90);
  });
});

describe("batches", () => {
  test("keeps or drops the last, smaller batch", async () => {
    const sizes = async (dropLast: boolean): Promise<number[]> =>
      (await read(all.batches({ batchSize: 30, dropLast }))).map(({ labels }) => labels.length);
    expect(await sizes(false)).toEqual([30, 30, 30, 10]);
    expect(await sizes(true)).toEqual([30, 30, 30]);
  });

  test("skips to where a run was cut off, augmentation included", async () => {
    const options = { batchSize: 16, seed: 3, epoch: 5, augment: { flip: true, shift: 1 } };
    const whole = await read(all.batches(options));
    expect(await read(all.batches({ ...options, skip: 4 }))).toEqual(whole.slice(4));
    expect(await read(all.batches({ ...options, skip: 9 }))).toEqual([]);
  });

  test("can be iterated twice, with the same batches", async () => {
    const batches = all.batches({ batchSize: 32, seed: 1 });
    expect(await read(batches)).toEqual(await read(batches));
  });

  test.each([
    [{ batchSize: 0 }, "batchSize"],
    [{ batchSize: 1.5 }, "batchSize"],
    [{ batchSize: 8, seed: Number.NaN }, "seed"],
    [{ batchSize: 8, seed: 1, epoch: -1 }, "epoch"],
    [{ batchSize: 8, skip: -1 }, "skip"],
    [{ batchSize: 8, seed: 1, augment: { shift: -1 } }, "augment.shift"],
    [{ batchSize: 8, augment: { flip: true } }, "a seed beside augment"],
  ])("refuses %j at once", (options, named) => {
    expect(() => all.batches(options)).toThrow(
      expect.objectContaining({ code: "bad-option", message: expect.stringContaining(named) }),
    );
  });
});

describe("augmentation", () => {
  /** Image 0 moved by hand. */
  const moved = (flip: boolean, down: number, right: number): number[] => {
    const out: number[] = [];
    for (let row = 0; row < HEIGHT; row++) {
      for (let column = 0; column < WIDTH; column++) {
        const [y, x] = [row - down, column - right];
        const inside = y >= 0 && y < HEIGHT && x >= 0 && x < WIDTH;
        const from = flip ? WIDTH - 1 - x : x;
        for (let channel = 0; channel < 2; channel++)
          out.push(inside ? 1 + (y * WIDTH + from) * 2 + channel : 0);
      }
    }
    return out;
  };
  const kinds = async (augment: { flip?: boolean; shift?: number }): Promise<Map<string, number>> => {
    const counts = new Map<string, number>();
    for (let epoch = 0; epoch < 20; epoch++) {
      for (const { pixels } of await read(all.batches({ batchSize: 50, seed: 1, epoch, augment }))) {
        for (let first = 0; first < pixels.length; first += SIZE) {
          const key = pixels.slice(first, first + SIZE).join();
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
    }
    return counts;
  };

  test("flips half of the images, about the vertical axis, channels kept in order", async () => {
    const counts = await kinds({ flip: true });
    expect([...counts.keys()].sort()).toEqual([moved(false, 0, 0).join(), moved(true, 0, 0).join()].sort());
    // 1000 of 2000 expected, with a standard deviation of 22.
    expect(Math.abs(counts.get(moved(true, 0, 0).join())! - 1000)).toBeLessThan(110);
  });

  test("shifts by each whole number of pixels alike, zeros moving in", async () => {
    const counts = await kinds({ shift: 1 });
    const expected = [-1, 0, 1].flatMap((down) =>
      [-1, 0, 1].map((right) => moved(false, down, right).join()),
    );
    expect([...counts.keys()].sort()).toEqual(expected.sort());
    // 222 of 2000 expected, with a standard deviation of 14.
    for (const count of counts.values()) expect(Math.abs(count - 222)).toBeLessThan(70);
  });

  test("flips and shifts together; a shift beyond the image leaves nothing", async () => {
    expect((await kinds({ flip: true, shift: 1 })).size).toBe(18);
    expect((await kinds({ shift: 5 })).has(new Array(SIZE).fill(0).join())).toBe(true);
    expect([...(await kinds({ shift: 0 })).keys()]).toEqual([moved(false, 0, 0).join()]);
  });
});

describe("halves and take", () => {
  test("halves are disjoint, complete, and drawn by the seed", async () => {
    const [a, b] = all.take(99).halves(4);
    expect([a.size, b.size]).toEqual([50, 49]);
    const [left, right] = [await labelsOf(a), await labelsOf(b)];
    expect(sorted([...left, ...right])).toEqual(everyLabel.slice(0, 99));
    expect(await labelsOf(all.take(99).halves(4)[0])).toEqual(left);
    expect(await labelsOf(all.take(99).halves(5)[0])).not.toEqual(left);
    expect(left).not.toEqual(await labelsOf(all.take(99), { seed: 4 }).then((order) => order.slice(0, 50)));
  });

  test("take gives the first samples, and refuses more than there are", async () => {
    expect(await labelsOf(all.take(3))).toEqual([0, 1, 2]);
    for (const count of [0, 101, 2.5]) {
      expect(() => all.take(count)).toThrow(expect.objectContaining({ code: "bad-option" }));
    }
    expect(() => all.halves(0.5)).toThrow(expect.objectContaining({ code: "bad-option" }));
  });
});
