import { expect, test } from "vitest";
import { anneal, rate } from "../../sdk/train/schedule.js";

test("a schedule rises linearly, peaks after the warm-up, and falls to its floor", () => {
  const schedule = { peak: 1, warmup: 10, floor: 0.25 };
  expect(rate(schedule, 5, 100)).toBeCloseTo(0.5);
  expect(rate(schedule, 10, 100)).toBeCloseTo(1);
  expect(rate(schedule, 55, 100)).toBeCloseTo(0.625);
  expect(rate(schedule, 100, 100)).toBeCloseTo(0.25);
});

test("a short stage warms up for at most a quarter of its steps", () => {
  expect(rate({ peak: 1, warmup: 50, floor: 0 }, 2, 8)).toBeCloseTo(1);
});

test("a constant schedule stays at its peak after the warm-up", () => {
  const constant = { peak: 0.02, warmup: 1, floor: 1 };
  for (const t of [2, 50, 100]) expect(rate(constant, t, 100)).toBeCloseTo(0.02);
});

test("the temperature falls by equal factors between its ends", () => {
  const values = [1, 2, 3].map((t) => anneal(2, 0.5, t, 3));
  expect(values[0]).toBeCloseTo(2);
  expect(values[1]).toBeCloseTo(1);
  expect(values[2]).toBeCloseTo(0.5);
});
