import { describe, expect, it } from "vitest";
import { effectsOf } from "../../sdk/study/effects.js";
import { student } from "../../sdk/study/student.js";

describe("Student's t", () => {
  // scipy.stats.t.ppf((1 + confidence) / 2, freedom)
  it.each([
    [0.95, 1, 12.706204736174],
    [0.95, 2, 4.302652729749],
    [0.95, 3, 3.182446305283],
    [0.95, 4, 2.776445105197],
    [0.95, 9, 2.262157162798],
    [0.99, 5, 4.032142983555],
    [0.99, 30, 2.749995653567],
    [0.9, 120, 1.657650899355],
    [0.95, 1000, 1.962339080826],
  ])("at %d with %d degrees of freedom", (confidence, freedom, expected) => {
    expect(student(confidence, freedom)).toBeCloseTo(expected, 9);
  });

  it("comes to the normal distribution's", () => {
    expect(student(0.95, 1e6)).toBeCloseTo(1.959964, 5);
  });
});

const row = (method: string, seed: number, accuracy: number, state = "done") => ({
  method,
  seed,
  accuracy,
  state,
});

describe("paired effects", () => {
  const axes = ["method", "seed"];

  it("are taken over cells that differ in nothing else", () => {
    const rows = [
      ...[row("a", 0, 0.5), row("b", 0, 0.6)],
      ...[row("a", 1, 0.7), row("b", 1, 0.9)],
      ...[row("b", 2, 0.1), row("a", 2, 0)],
      // Without partners, or without a result.
      ...[row("a", 3, 0.2), row("b", 4, 0.3), row("a", 5, 0.2), row("b", 5, 0, "failed")],
    ];
    const [effect, ...rest] = effectsOf(rows, axes, "method", "accuracy");
    expect(rest).toEqual([]);
    // Differences 0.1, 0.2, 0.1: mean 4/30, standard deviation 1/sqrt(300), and t = 4.3027 at 2 degrees of freedom.
    expect(effect).toMatchObject({ from: "a", to: "b", n: 3, warning: null });
    expect(effect!.mean).toBeCloseTo(0.133333, 6);
    expect(effect!.standardError).toBeCloseTo(1 / 30, 6);
    expect(effect!.low).toBeCloseTo(0.133333 - 4.302653 / 30, 6);
    expect(effect!.high).toBeCloseTo(0.133333 + 4.302653 / 30, 6);
  });

  it("warn of few pairs, and give no interval for one", () => {
    const two = [row("a", 0, 0.5), row("b", 0, 0.6), row("a", 1, 0.7), row("b", 1, 0.9)];
    expect(effectsOf(two, axes, "method", "accuracy")[0]!.warning).toMatch(/2 pairs/);
    const [one] = effectsOf(two.slice(0, 2), axes, "method", "accuracy");
    expect(one).toMatchObject({
      n: 1,
      standardError: null,
      low: null,
      high: null,
      warning: expect.stringMatching(/1 pair:/),
    });
  });

  it("compare each two of several levels", () => {
    const rows = ["a", "b", "c"].flatMap((method, i) => [0, 1, 2].map((seed) => row(method, seed, i + seed)));
    const effects = effectsOf(rows, axes, "method", "accuracy");
    expect(effects.map(({ from, to, mean }) => [from, to, mean])).toEqual([
      ["a", "b", 1],
      ["a", "c", 2],
      ["b", "c", 1],
    ]);
  });

  it("refuse an axis, a metric or a confidence that is none", () => {
    const rows = [row("a", 0, 0.5), row("b", 0, 0.6)];
    expect(() => effectsOf(rows, axes, "size", "accuracy")).toThrow(/among method, seed, received "size"/);
    expect(() => effectsOf(rows, axes, "method", "acuracy")).toThrow(/among accuracy, received "acuracy"/);
    expect(() => effectsOf(rows, axes, "method", "accuracy", { confidence: 95 })).toThrow(/between 0 and 1/);
  });
});
