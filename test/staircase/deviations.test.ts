import { describe, expect, it } from "vitest";
import { backward } from "../../sdk/staircase/gradient.js";
import { ema, fit, measure, type SchemeName, schemes } from "../../sdk/staircase/schemes.js";
import { STATISTICS, type Statistic } from "../../sdk/staircase/statistics.js";
import {
  type ActivationCase,
  absent,
  activationCases,
  LIKE_REFERENCE,
  remainders,
  weightCases,
} from "./reference.js";

// Every test here shows what we do and what the author's code does instead. sdk/DESIGN.md tells why.

function weights(scheme: SchemeName, bits: number, input: string, backwardRule = "ste") {
  return weightCases.find(
    (c) => c.scheme === scheme && c.bits === bits && c.input === input && c.backward === backwardRule,
  )!;
}

function activations(scheme: SchemeName, bits: number): ActivationCase {
  return activationCases.find((c) => c.scheme === scheme && c.bits === bits)!;
}

/** Our frozen statistics after the training batches of a case. */
function running(c: ActivationCase): Float32Array {
  const [first, ...rest] = c.train.map(({ x }) => measure(x));
  return rest.reduce((kept, batch) => ema(kept, batch), first!);
}

function evaluated(c: ActivationCase): Float32Array {
  return fit(c.scheme, c.bits, running(c), LIKE_REFERENCE).apply(c.eval.x);
}

/** How many values there are, those apart that the reference's x + (Q(x) - x) rounds differently. */
const distinct = (values: ArrayLike<number>) => new Set(Array.from(values, (v) => v.toPrecision(4))).size;
const error = (x: ArrayLike<number>, y: ArrayLike<number>) =>
  Math.sqrt(Array.from(x, (v, i) => (v - y[i]!) ** 2).reduce((a, b) => a + b, 0) / x.length);
const place = (name: Statistic) => STATISTICS.indexOf(name);

describe.skipIf(absent)("deviations from the author's code (needs ../shared/reference)", () => {
  it.each(["binary", "pot", "residual"] as const)(
    "%s weights count 0 as positive; the reference gives it a level",
    (scheme) => {
      for (const input of ["relu", "sparse"]) {
        const c = weights(scheme, 1, input);
        const zero = c.x.indexOf(0);
        const ours = schemes[scheme].fit(c.x, 1);
        expect(ours.levels.length).toBe(2);
        expect(ours.apply([0])[0]).toBe(ours.levels[1]);
        expect(c.y[zero]).toBe(0);
        expect(distinct(c.y)).toBe(input === "sparse" ? 3 : 2);
        expect(schemes[scheme].fit(c.x, 1, LIKE_REFERENCE).apply([0])[0]).toBe(0);
      }
    },
  );

  it("residual has one level more than 2^b where 0 has its own; the reference has one for every scale it meets exactly", () => {
    const x = [-2, -1, 0, 1, 2];
    const ours = schemes.residual.fit(x, 3, LIKE_REFERENCE);
    expect(ours.levels.length).toBe(9);
    expect(ours.apply([0])[0]).toBeCloseTo(0, 7);
  });

  it("fixed has at most 2^b levels; the reference does not clip", () => {
    const c = weights("fixed", 2, "uniform");
    const ours = schemes.fixed.fit(c.x, 2);
    const step = ours.levels[1]! - ours.levels[0]!;
    expect(ours.levels.length).toBe(4);
    expect(Math.max(...ours.apply(c.x))).toBe(step);
    expect(Math.max(...c.y)).toBe(2 * step);
    expect(distinct(c.y)).toBe(5);
  });

  it("fixed takes its running range from the first batch, 0.99 of it kept; the reference starts it at 0", () => {
    const c = activations("fixed", 3);
    const ours = running(c)[place("absMaximum")]!;
    const largest = Math.max(...c.train[0]!.x);
    expect(ours).toBeGreaterThan(0.9 * largest);
    // After four batches the reference's range is about 4 percent of what it should be, and its step 32 times too small.
    const gaps = [...new Set(c.eval.y)].sort((a, b) => a - b);
    const theirs = Math.min(...gaps.slice(1).map((v, i) => v - gaps[i]!));
    expect(theirs).toBe(2 ** -4);
    const { levels } = fit("fixed", 3, running(c), LIKE_REFERENCE);
    expect(levels[1]! - levels[0]!).toBe(1);
  });

  it("fixed freezes its range in evaluation; the reference goes on updating it", () => {
    const c = activations("fixed", 3);
    const before = running(c);
    evaluated(c);
    expect(running(c)).toEqual(before);
    // The reference's step is that of the range after five batches; after four it would be half of it.
    const range = (batches: number[][]) =>
      batches.reduce((kept, x) => 0.99 * kept + 0.01 * Math.max(...x.map(Math.abs)), 0);
    const four = range(c.train.map(({ x }) => x));
    const five = range([...c.train.map(({ x }) => x), c.eval.x]);
    expect(four).toBeLessThan(five);
  });

  it.each([
    ["binary", 1, "absMean", 1],
    ["ternary", 2, "ternaryMean", 1],
    ["clip", 3, "deviation", 1 / 0.586],
    ["pot", 3, "deviation", 1 / 0.4],
  ] as const)(
    "%s starts its running statistics with the first batch; the reference with 1",
    (scheme, bits, name, start) => {
      const c = activations(scheme, bits);
      const batches = c.train.map(({ x }) => measure(x)[place(name)]!);
      const average = (first: number, rest: number[]) =>
        rest.reduce((kept, v) => 0.9 * kept + 0.1 * v, first);
      const ours = average(batches[0]!, batches.slice(1));
      const theirs = average(start, batches);
      expect(running(c)[place(name)]).toBeCloseTo(ours, 6);
      expect(Math.abs(ours - theirs)).toBeGreaterThan(0.05 * ours);
      const statistics = running(c);
      const top = (value: number) => {
        statistics[place(name)] = value;
        return fit(scheme, bits, statistics, LIKE_REFERENCE).levels;
      };
      // The values the reference puts out are levels of its own statistic, and none of ours (0 apart).
      const nearest = (levels: Float32Array, y: number) => Math.min(...levels.map((l) => Math.abs(l - y)));
      const outputs = [...new Set(c.eval.y)].filter((y) => y !== 0);
      for (const y of outputs) {
        expect(nearest(top(theirs), y)).toBeLessThan(1e-5);
        expect(nearest(top(ours), y)).toBeGreaterThan(1e-3);
      }
    },
  );

  it.each([1, 2, 3, 4, 5])(
    "residual at %i bits stores a scale before it is used; the reference after, so that its evaluation is another quantizer",
    (bits) => {
      const c = activations("residual", bits);
      const names = ["absMean", "residual2", "residual3", "residual4", "residual5"] as const;
      const levels = (statistics: Float32Array) => fit("residual", bits, statistics, LIKE_REFERENCE).levels;
      // In one batch: what the reference puts out has our scales, what it stores the next ones.
      const { x, y } = c.train[0]!;
      const scales = remainders(x);
      const sum = (first: number) => scales.slice(first, first + bits).reduce((total, a) => total + a, 0);
      expect(levels(measure(x)).at(-1)).toBeCloseTo(sum(0), 5);
      expect(Math.max(...y)).toBeCloseTo(sum(0), 5);
      const stored = Float32Array.from(STATISTICS, () => 1);
      for (const [i, name] of names.entries()) {
        stored[place(name)] = c.train.reduce(
          (kept, batch) => 0.9 * kept + 0.1 * remainders(batch.x)[i + 1]!,
          1,
        );
      }
      const largest = Math.max(...c.eval.y);
      expect(levels(stored).some((level) => Math.abs(level - largest) < 1e-5)).toBe(true);
      expect(levels(running(c)).some((level) => Math.abs(level - largest) < 1e-3)).toBe(false);
    },
  );

  it("clip masks the gradient by its present range; the reference by that of its previous call, at first 1", () => {
    const c = weights("clip", 2, "gauss", "pwl");
    const ours = schemes.clip.fit(c.x, 2);
    const gx = backward(ours, c.x, c.gy, "pwl");
    const outside = c.x.filter((v) => Math.abs(v) > ours.clip!.upper).length;
    expect(outside).toBeGreaterThan(0);
    expect(gx.filter((g) => g === 0).length).toBe(outside);
    expect(ours.clip!.upper).toBeCloseTo(1.5 * (0.9957 * measure(c.x)[place("deviation")]! + 1e-7), 6);
    expect(c.gx.filter((g) => g === 0).length).toBe(0);
  });

  it("zoom has 2^b levels for values beyond its range too; the reference adds the ends of the range", () => {
    const c = activations("zoom", 3);
    const ours = fit("zoom", 3, running(c), LIKE_REFERENCE);
    const [low, high] = [running(c)[place("minimum")]!, running(c)[place("maximum")]!];
    expect([...ours.apply([low - 5, high + 5])]).toEqual([ours.levels[0], ours.levels[7]]);
    expect(ours.levels[7]).toBeLessThan(high);
    const outputs = [...new Set(Array.from(c.eval.y, (y) => Number(y.toPrecision(5))))].sort((a, b) => a - b);
    const [beyond, last, before] = [outputs.at(-1)!, outputs.at(-2)!, outputs.at(-3)!];
    expect(outputs.length).toBe(3);
    expect(beyond - last).toBeLessThan(0.5 * (last - before));
  });

  it("zoom derives its step from its running range; the reference averages the step beside it, from 1", () => {
    const c = activations("zoom", 3);
    const { levels } = fit("zoom", 3, running(c), LIKE_REFERENCE);
    const [low, high] = [running(c)[place("minimum")]!, running(c)[place("maximum")]!];
    expect(levels[1]! - levels[0]!).toBeCloseTo((high - low) / 8, 4);
    expect(error(c.eval.x, evaluated(c))).toBeLessThan(0.6 * error(c.eval.x, c.eval.y));
  });

  it("zoom does not cut its levels off at the range, which shows where the range is below 2^2b 2e-7", () => {
    const ours = schemes.zoom.fit([0, 1e-6], 8);
    expect(ours.levels.at(-1)).toBeGreaterThan(1e-6);
    const theirs = (x: number) => {
      const step = 1e-6 / (256 - 1e-4) + 1e-7;
      return Math.min(1e-6, Math.max(0, (Math.round((x - step / 2) / step) + 0.5) * step));
    };
    expect(Math.abs(ours.apply([1e-6])[0]! - theirs(1e-6))).toBeLessThan(1e-7);
    const c = weights("zoom", 8, "tiny");
    expect(error(schemes.zoom.fit(c.x, 8).apply(c.x), c.y)).toBeLessThan(1e-9);
  });
});

describe("where the author's code has no answer", () => {
  it("a single value has the deviation 0; the reference divides by 0", () => {
    expect(measure([3])[place("deviation")]).toBe(0);
    expect(schemes.clip.fit([3], 2).levels.every(Number.isFinite)).toBe(true);
  });

  it("ternary of zeros is 0; the reference divides 0 by 0", () => {
    expect([...schemes.ternary.fit([0, 0, 0]).apply([0, 0, 0])]).toEqual([0, 0, 0]);
  });

  it("fixed of zeros is 0; the reference takes the logarithm of 0", () => {
    expect([...schemes.fixed.fit([0, 0], 4).apply([0, 0])]).toEqual([0, 0]);
  });

  it("fixed takes the exponent from the bits of the number; logarithms miss powers of two", () => {
    for (let e = -20; e <= 20; e++) {
      const { levels } = schemes.fixed.fit([2 ** e, -(2 ** e)], 3);
      expect(levels[1]! - levels[0]!).toBe(2 ** (e - 1));
    }
    // In float32, as the reference computes it: log(2^-13) / log(2) lies below -13 or above, by an ulp.
    const theirs = (x: number) =>
      Math.floor(Math.fround(Math.fround(Math.log(x)) / Math.fround(Math.log(2))));
    const missed = Array.from({ length: 41 }, (_, i) => i - 20).filter((e) => theirs(2 ** e) !== e);
    expect(missed.length).toBeGreaterThan(0);
  });
});
