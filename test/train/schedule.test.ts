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

test("a rate falls by a factor at every milestone, or not at all", () => {
  const schedule = { peak: 1, warmup: 0, floor: 0 };
  const steps = { ...schedule, decay: { milestones: [0.5, 0.75], factor: 0.1 } };
  const at = (t: number) => rate(steps, t, 100);
  expect([1, 50, 51, 75, 76, 100].map(at)).toEqual([1, 1, 0.1, 0.1, 0.1 ** 2, 0.1 ** 2]);
  expect(rate({ ...schedule, decay: "constant" }, 100, 100)).toBe(1);
});

test("the temperature falls by equal factors between its ends", () => {
  const values = [1, 2, 3].map((t) => anneal(2, 0.5, t, 3));
  expect(values[0]).toBeCloseTo(2);
  expect(values[1]).toBeCloseTo(1);
  expect(values[2]).toBeCloseTo(0.5);
});
