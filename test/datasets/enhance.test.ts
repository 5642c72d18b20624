import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { expect, test } from "vitest";
import { drawEnhancements } from "../../datasets/enhancements.js";
import type { Images } from "../../datasets/images.js";
import { drawShares } from "../../datasets/mixup.js";
import { type BatchOptions, split } from "../../datasets/split.js";
import { ENHANCEMENTS, type Enhancement } from "../../sdk/engine/kernels/enhance.js";
import { enhanced } from "../../sdk/engine/ops.js";
import { engine } from "../../sdk/index.js";

interface Fixture {
  readonly shape: readonly [number, number, number];
  readonly image: string;
  readonly cases: readonly {
    readonly operation: Enhancement;
    readonly value: number;
    readonly bytes: string;
  }[];
}

const fixture = JSON.parse(
  readFileSync(new URL("fixtures/enhance.json", import.meta.url), "utf8"),
) as Fixture;
const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));
const images: Images = { shape: fixture.shape, pixels: bytes(fixture.image), labels: Uint8Array.of(0) };

test("every operation gives the bytes of torchvision on Pillow's images", async () => {
  const { cases, shape } = fixture;
  const operations = cases.flatMap(({ operation, value }) => [ENHANCEMENTS.indexOf(operation), value]);
  const pipeline = {
    images,
    order: new Int32Array(cases.length),
    rows: { operations: { values: Int32Array.from(operations), shape: [1, 2] } },
    batchSize: cases.length,
    body: ({ image, operations }: Record<string, tf.Tensor>) => ({ image: enhanced(image!, operations!) }),
  };
  for await (const { image } of (await engine()).batches("enhance", pipeline)) {
    const found = image!.dataSync();
    const size = shape[0] * shape[1] * shape[2];
    for (const [i, one] of cases.entries())
      expect([one.operation, one.value, ...found.slice(i * size, (i + 1) * size)]).toEqual([
        one.operation,
        one.value,
        ...bytes(one.bytes),
      ]);
    image!.dispose();
  }
  expect(new Set(cases.map(({ operation }) => operation)).size).toBe(ENHANCEMENTS.length - 1);
});

const COUNT = 4000;

test("RandAugment draws its 14 operations alike, with torchvision's values at magnitude 9 of 30", () => {
  const { length, values } = drawEnhancements(COUNT, [100, 200], { randAugment: true }, 1, 0);
  expect([length, values.length]).toEqual([2, 4 * COUNT]);
  const seen = new Map<Enhancement, Map<number, number>>();
  for (let i = 0; i < values.length; i += 2) {
    const counts = seen.get(ENHANCEMENTS[values[i]!]!) ?? new Map<number, number>();
    counts.set(values[i + 1]!, (counts.get(values[i + 1]!) ?? 0) + 1);
    seen.set(ENHANCEMENTS[values[i]!]!, counts);
  }
  const at = (name: Enhancement) => [...seen.get(name)!.keys()].map((v) => v / 2 ** 16).sort((a, b) => a - b);
  expect(seen.size).toBe(14);
  // 571 of 8000 expected, with a standard deviation of 23.
  for (const counts of seen.values())
    expect(Math.abs([...counts.values()].reduce((a, b) => a + b) - 571)).toBeLessThan(115);
  expect([at("rotate"), at("translateX"), at("translateY")]).toEqual([
    [-9, 9],
    [-27, 27],
    [-13, 13],
  ]);
  expect([at("posterize"), at("solarize")]).toEqual([[7], [178.5]]);
  for (const [i, factor] of at("color").entries()) expect(factor).toBeCloseTo([0.73, 1.27][i]!, 4);
});

test("jitter draws factors evenly within their ranges, in any order", () => {
  const jitter = { brightness: 0.4, saturation: 1.5, hue: 0.1 };
  const { length, values } = drawEnhancements(COUNT, [8, 8], { jitter }, 2, 0);
  expect(length).toBe(3);
  const ranges = { brightness: [0.6, 1.4], color: [0, 2.5], hue: [-0.1, 0.1] };
  for (const [name, [least, most]] of Object.entries(ranges) as [Enhancement, [number, number]][]) {
    const own: number[] = [];
    for (let i = 0; i < values.length; i += 2)
      if (values[i] === ENHANCEMENTS.indexOf(name)) own.push(values[i + 1]! / 2 ** 16);
    expect(own).toHaveLength(COUNT);
    expect(Math.min(...own)).toBeGreaterThanOrEqual(least - 1e-4);
    expect(Math.max(...own)).toBeLessThanOrEqual(most + 1e-4);
    const mean = own.reduce((a, b) => a + b) / COUNT;
    expect(Math.abs(mean - (least + most) / 2)).toBeLessThan((most - least) / 40);
  }
  const firsts = new Set(Array.from({ length: 50 }, (_, n) => values[6 * n]));
  expect(firsts.size).toBe(3);
});

test.each([0.05, 0.4, 3])("mixup draws one share a batch of Beta(%d, the same)", (alpha) => {
  const shares = drawShares(COUNT, 2, alpha, 1, 0);
  const own = Array.from({ length: COUNT / 2 }, (_, b) => shares[2 * b]! / 2 ** 24);
  expect(own.every((share, b) => share * 2 ** 24 === shares[2 * b + 1])).toBe(true);
  const mean = own.reduce((a, b) => a + b) / own.length;
  const variance = own.reduce((sum, share) => sum + (share - mean) ** 2, 0) / own.length;
  // The mean is a half, the variance 1 / (4 (2 alpha + 1)).
  expect(Math.abs(mean - 0.5)).toBeLessThan(0.06);
  expect(variance * 4 * (2 * alpha + 1)).toBeGreaterThan(0.85);
  expect(variance * 4 * (2 * alpha + 1)).toBeLessThan(1.15);
});

const noise: Images = {
  shape: [6, 5, 3],
  pixels: Uint8Array.from({ length: 40 * 90 }, (_, i) => (i * 7919) >> 3),
  labels: Uint8Array.from({ length: 40 }, (_, n) => n % 4),
};

async function read(options: Partial<BatchOptions>): Promise<{ x: number[]; y: number[] }[]> {
  const seen: { x: number[]; y: number[] }[] = [];
  for await (const { x, y } of split(noise, 4).batches({ batchSize: 8, seed: 3, ...options })) {
    seen.push({ x: [...x.dataSync()], y: [...y.dataSync()] });
    tf.dispose([x, y]);
  }
  return seen;
}

test("mixup mixes images and classes by the same share", async () => {
  const [plain] = await read({});
  const [mixed] = await read({ augment: { mixup: 0.5 } });
  const share = drawShares(40, 8, 0.5, 3, 0)[0]! / 2 ** 24;
  const size = 90;
  for (let n = 0; n < 8; n++) {
    for (let i = 0; i < size; i++) {
      const [own, other] = [plain!.x[n * size + i]!, plain!.x[(7 - n) * size + i]!];
      expect(mixed!.x[n * size + i]).toBeCloseTo(share * own + (1 - share) * other, 5);
    }
    const expected = [0, 0, 0, 0];
    expected[plain!.y[n]!]! += share;
    expected[plain!.y[7 - n]!]! += 1 - share;
    for (const [c, value] of expected.entries()) expect(mixed!.y[4 * n + c]).toBeCloseTo(value, 5);
  }
});

test("all of it is the same for the same seed, wherever it starts, and frees what it held", async () => {
  const jitter = { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 };
  const augment = { flip: true, jitter, randAugment: { operations: 3, magnitude: 15 }, mixup: 0.2 };
  const whole = await read({ augment });
  const before = tf.memory().numTensors;
  expect(await read({ augment })).toEqual(whole);
  expect(await read({ augment, skip: 2 })).toEqual(whole.slice(2));
  expect(await read({ augment, epoch: 1 })).not.toEqual(whole);
  expect(tf.memory().numTensors).toBe(before);
});

test.each([
  [{ jitter: { hue: 0.6 } }, /jitter\.hue/],
  [{ jitter: { contrast: -1 } }, /jitter\.contrast/],
  [{ randAugment: { operations: 1.5 } }, /randAugment\.operations/],
  [{ randAugment: { magnitude: 31 } }, /randAugment\.magnitude/],
  [{ mixup: 0 }, /mixup/],
])("refuses %j", (augment, message) => {
  expect(() => split(noise, 4).batches({ batchSize: 8, seed: 1, augment })).toThrow(message);
});
