import { describe, expect, it } from "vitest";
import { AutoqnnError } from "../../sdk/errors.js";
import { backward, forward } from "../../sdk/staircase/gradient.js";
import {
  bitsOf,
  coefficients,
  ema,
  fit,
  MOMENTUM,
  measure,
  needs,
  type Range,
  type SchemeName,
  type SearchedScheme,
  schemeAt,
  schemes,
} from "../../sdk/staircase/schemes.js";
import { staircase } from "../../sdk/staircase/staircase.js";
import { STATISTICS } from "../../sdk/staircase/statistics.js";

const WEIGHTS: Range = { signed: true, zero: false };
const UNSIGNED: Range = { signed: false, zero: false };
const names = Object.keys(schemes) as SearchedScheme[];

/** Every scheme at every bitwidth of these ranges. */
function all(...ranges: Range[]) {
  return ranges.flatMap((range) =>
    names.flatMap((scheme) => {
      const [least, most] = bitsOf(scheme, range) ?? [1, 0];
      return Array.from({ length: most - least + 1 }, (_, i) => ({ scheme, bits: least + i, range }));
    }),
  );
}

/** Values like those of a layer, a few of them far out. */
const wave = Float32Array.from({ length: 501 }, (_, i) => Math.sin(i * 1.7) * (1 + Math.cos(i) ** 9 * 2));

function failure(body: () => unknown): AutoqnnError {
  try {
    body();
  } catch (error) {
    expect(error).toBeInstanceOf(AutoqnnError);
    return error as AutoqnnError;
  }
  return expect.fail("nothing was thrown");
}

describe.each(all(WEIGHTS, UNSIGNED))(
  "$scheme, $bits bits, signed $range.signed",
  ({ scheme, bits, range }) => {
    const x = range.signed ? wave : wave.map(Math.abs);
    const quantizer = schemes[scheme].fit(x, bits, range);

    // Residual's later scales may together exceed an earlier one; then a lower sum of signs lies above a higher one.
    const ascending = quantizer.levels.every((level, k) => k === 0 || level > quantizer.levels[k - 1]!);

    it("has at most 2^b levels, and puts out nothing else", () => {
      expect(quantizer.levels.length).toBeLessThanOrEqual(2 ** bits);
      expect(ascending || scheme === "residual").toBe(true);
      const levels = new Set(quantizer.levels);
      expect(quantizer.apply(x).every((y) => levels.has(y))).toBe(true);
      expect(quantizer.codes(x).every((code, i) => quantizer.levels[code] === quantizer.apply(x)[i])).toBe(
        true,
      );
    });

    it.runIf(ascending)("leaves its own levels as they are", () => {
      expect([...quantizer.apply(quantizer.levels)]).toEqual([...quantizer.levels]);
    });

    it("grows with x, and stretches with its scale", () => {
      const codes = quantizer.codes(Float32Array.from(x).sort());
      expect(codes.every((code, i) => i === 0 || code >= codes[i - 1]!)).toBe(true);
      const twice = fit(scheme, bits, measure(x), range, 2);
      expect([...twice.apply(x.map((v) => 2 * v))]).toEqual([...quantizer.apply(x)].map((v) => 2 * v));
    });

    it("takes constant tensors, zeros, single values and NaN among the values it is applied to", () => {
      for (const constant of [[0], [0, 0, 0], [2.5], [0.1, 0.1, 0.1], ...(range.signed ? [[-3, -3]] : [])]) {
        const narrow = schemes[scheme].fit(constant, bits, range);
        expect(narrow.apply(constant).every(Number.isFinite)).toBe(true);
      }
      expect(quantizer.codes([Number.NaN])[0]).toBe(0);
      expect(quantizer.apply([Number.POSITIVE_INFINITY])[0]).toBe(quantizer.levels.at(-1));
      expect(quantizer.apply([Number.NEGATIVE_INFINITY])[0]).toBe(quantizer.levels[0]);
    });

    it("refuses tensors with NaN or infinity", () => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const error = failure(() => schemes[scheme].fit([1, bad, 0.5], bits, range));
        expect(error.code).toBe("bad-data");
        expect(error.message).toContain(`Expected finite values to fit ${scheme} to`);
      }
    });

    it("looks at nothing but the statistics it says it needs", () => {
      const used = new Set<string>(needs([{ scheme, bits }], range));
      const sparse = measure(x).map((v, i) => (used.has(STATISTICS[i]!) ? v : Number.NaN));
      expect([...fit(scheme, bits, sparse, range).levels]).toEqual([...quantizer.levels]);
    });

    it("never spreads unsigned levels below 0, and puts one on 0", () => {
      if (range.signed) return expect(quantizer.levels[0]).toBeLessThan(0);
      expect(quantizer.levels[0]).toBe(0);
      expect(quantizer.clip!.lower).toBe(Number.NEGATIVE_INFINITY);
      expect(quantizer.clip!.upper).toBeGreaterThan(quantizer.levels.at(-1)!);
    });
  },
);

describe("zero", () => {
  it.each(["binary", "pot", "residual"] as const)("gets a level of its own in %s on demand", (scheme) => {
    const x = [...wave, 0, 0];
    const levels = (zero: boolean) => schemes[scheme].fit(x, 1, { zero }).levels.length;
    expect([levels(false), levels(true)]).toEqual([2, 3]);
    expect(schemes[scheme].fit(x, 1, { zero: true }).apply([0, -0, 1e-20, -1e-20]).map(Math.sign)).toEqual(
      Float32Array.of(0, 0, 1, -1),
    );
  });

  it("goes up where a threshold at 0 is inclusive, at every scale", () => {
    for (const scale of [1e-6, 1, 1e6]) {
      const quantizer = fit("clip", 2, measure(wave), WEIGHTS, scale);
      expect(quantizer.codes([0])[0]).toBe(2);
      expect(quantizer.codes([-1e-20])[0]).toBe(1);
    }
  });
});

describe("residual's tree", () => {
  it("holds its thresholds in order where a later scale exceeds an earlier one", () => {
    // One value in ten is not small: a_2 is larger than a_1.
    const x = Array.from({ length: 200 }, (_, i) => (i % 10 === 0 ? 1 + i / 200 : 0.001));
    const measured = measure(x);
    expect(measured[STATISTICS.indexOf("residual2")]).toBeGreaterThan(
      measured[STATISTICS.indexOf("absMean")]!,
    );
    for (const zero of [false, true]) {
      for (const bits of [2, 3, 4, 5]) {
        const { thresholds } = schemes.residual.fit(x, bits, { zero });
        expect(thresholds.every((t, k) => k === 0 || t >= thresholds[k - 1]!)).toBe(true);
        // What the staircase must be: the loop that the scheme is defined by.
        const scales = [measured[1]!, ...measured.slice(8)].slice(0, bits);
        const loop = (v: number) =>
          scales.reduce((sum, a) => sum + a * (Math.sign(v - sum) || (zero ? 0 : 1)), 0);
        const samples = [...x, ...x.map((v) => -v), ...wave];
        const y = schemes.residual.fit(x, bits, { zero }).apply(samples);
        for (const [i, v] of samples.entries()) expect(y[i]).toBeCloseTo(loop(v), 5);
      }
    }
  });
});

describe("bitwidths and names", () => {
  it("are those of the table", () => {
    const bits = (range: Range) => Object.fromEntries(names.map((name) => [name, bitsOf(name, range)]));
    expect(bits(WEIGHTS)).toEqual({
      binary: [1, 1],
      ternary: [2, 2],
      quaternary: [2, 2],
      fixed: [2, 8],
      zoom: [1, 8],
      clip: [1, 8],
      pot: [1, 4],
      residual: [1, 5],
    });
    expect(bits(UNSIGNED)).toMatchObject({ fixed: [1, 8], zoom: [1, 8], clip: [1, 8], pot: [1, 4] });
    expect(Object.values(bits(UNSIGNED)).filter(Boolean).length).toBe(4);
  });

  it("default to 2 bits, or the nearest there are", () => {
    for (const name of names) {
      const { levels } = schemes[name].fit(wave);
      expect(levels.length).toBe({ binary: 2, ternary: 3 }[name as string] ?? 4);
      expect(schemes[name].name).toBe(name);
    }
  });

  it("are told from wrong ones, with what would do", () => {
    const wrong = failure(() => coefficients("pot", 6, WEIGHTS));
    expect(wrong.code).toBe("bad-option");
    expect(wrong.message).toContain("Expected 1 to 4 bits for pot, received 6.");
    expect(wrong.hint).toBe("Use fixed or zoom or clip.");
    expect(failure(() => coefficients("clip", 2.5, WEIGHTS)).hint).toBe("Give a whole number of bits.");
    expect(failure(() => coefficients("clip", 9, WEIGHTS)).hint).toContain("1 to 8");
    expect(failure(() => coefficients("binary", 1, UNSIGNED)).message).toContain(
      "unsigned form, received binary",
    );
    expect(failure(() => bitsOf("nothing" as SchemeName, WEIGHTS)).message).toContain(
      'Expected a scheme, received "nothing".',
    );
    expect(failure(() => bitsOf("toString" as SchemeName, WEIGHTS)).code).toBe("bad-option");
    expect(failure(() => measure([])).code).toBe("bad-data");
    for (const scale of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(failure(() => fit("clip", 2, measure(wave), WEIGHTS, scale)).message).toContain(
        "positive, finite scale",
      );
    }
  });
});

describe("running statistics", () => {
  it("move by a tenth, the fixed-point range by a hundredth", () => {
    const moved = ema(measure([0, 0]), measure([10, -10]));
    for (const [i, name] of STATISTICS.entries()) {
      const [from, to] = [measure([0, 0])[i]!, measure([10, -10])[i]!];
      const kept = name === "absMaximum" ? 0.99 : 0.9;
      expect(moved[i]).toBeCloseTo(kept * from + (1 - kept) * to, 5);
      expect(MOMENTUM[i]).toBeCloseTo(kept, 7);
    }
    expect(moved[0]).toBe(1);
  });
});

describe("gradient rules", () => {
  const quantizer = staircase([0], [-1, 1]);
  const clipped = staircase([0], [-1, 1], { lower: -2, upper: 2 });
  const x = [-3, -1, 0.5, 1, 4];
  const dy = [1, 2, 3, 4, 5];

  it("ste: Q(x) forward, all of dy backward but outside the clip range", () => {
    expect([...forward(quantizer, x)]).toEqual([-1, -1, 1, 1, 1]);
    expect([...backward(quantizer, x, dy)]).toEqual(dy);
    expect([...backward(clipped, x, dy)]).toEqual([0, 2, 3, 4, 0]);
  });

  it("pwl: a share of x itself, clipped to the clip range", () => {
    expect([...forward(quantizer, x, "pwl", 0.5)]).toEqual([-2, -1, 0.75, 1, 2.5]);
    expect([...forward(clipped, x, "pwl", 0.5)]).toEqual([-1.5, -1, 0.75, 1, 1.5]);
    expect([...backward(quantizer, x, dy, "pwl")]).toEqual(dy);
  });

  it("pwl-c: x clipped to the levels in use, whose ends pass", () => {
    expect([...forward(quantizer, x, "pwl-c", 0.5)]).toEqual([-1, -1, 0.75, 1, 1]);
    expect([...backward(quantizer, x, dy, "pwl-c")]).toEqual([0, 2, 3, 4, 0]);
    expect([...backward(quantizer, [0.5, 2], [1, 1], "pwl-c")]).toEqual([0, 0]);
  });
});

it("a scheme is continued where it has no such bitwidth", () => {
  const signed = { signed: true, zero: false };
  expect(schemeAt("pot", 4, signed)).toBe("pot");
  expect(schemeAt("pot", 5, signed)).toBe("clip");
  expect(schemeAt("binary", 2, signed)).toBe("residual");
  expect(schemeAt("ternary", 1, signed)).toBe("clip");
  expect(schemeAt("residual", 2, { signed: false, zero: false })).toBe("clip");
});
