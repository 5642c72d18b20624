import seedrandom from "seedrandom";
import { expect, test } from "vitest";
import { buckets } from "../../sdk/staircase/bucket.js";

/** The number of thresholds below `x`, counted. */
const counted = (thresholds: Float32Array, x: number): number => thresholds.filter((t) => x > t).length;

const random = seedrandom("buckets");
const drawn = (count: number, of: (x: number) => number): Float32Array =>
  Float32Array.from({ length: count }, () => of(2 * random() - 1)).sort();

test.each([
  ["none", new Float32Array(0)],
  ["one", Float32Array.of(0.25)],
  ["evenly spaced", Float32Array.from({ length: 255 }, (_, k) => (k - 127) / 100)],
  ["drawn at random", drawn(200, (x) => x)],
  ["dense around zero", drawn(255, (x) => Math.sign(x) * 2 ** (-120 * Math.abs(x)))],
  ["equal", new Float32Array(7).fill(0.5)],
  ["some of them equal", drawn(60, (x) => Math.round(4 * x) / 4)],
  ["as far apart as numbers go", Float32Array.of(-3.4e38, -1, 1, 3.4e38)],
  ["next to each other", Float32Array.of(1, 1 + 2 ** -23, 1 + 2 ** -22)],
])("values are put between thresholds as counting does: %s", (_, thresholds) => {
  const near = [...thresholds].flatMap((t) => [t, t - Math.abs(t) * 2 ** -24, t + Math.abs(t) * 2 ** -24]);
  const far = [Number.NaN, -Infinity, Infinity, 0, -0, -1e39, 1e39, 1e-45];
  const among = Array.from({ length: 3000 }, () => 3 * random() - 1.5);
  const x = [...near, ...far, ...among];
  const expected = x.map((value) => counted(thresholds, value));
  expect([...buckets(thresholds, x)]).toEqual(expected);
  // Few values go another way.
  expect(x.map((value) => buckets(thresholds, [value])[0])).toEqual(expected);
});
