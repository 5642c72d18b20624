import { describe, expect, it } from "vitest";
import { backward, forward } from "../../sdk/staircase/gradient.js";
import { fit, measure, type SchemeName, schemes } from "../../sdk/staircase/schemes.js";
import { staircase } from "../../sdk/staircase/staircase.js";
import { STATISTICS, type Statistic } from "../../sdk/staircase/statistics.js";
import {
  type ActivationCase,
  absent,
  activationCases,
  asReference,
  expectAgreement,
  LIKE_REFERENCE,
  remainders,
  weightCases,
} from "./reference.js";

describe.skipIf(absent)("the author's outputs and gradients (needs ../shared/reference)", () => {
  it("counts all 442 cases", () => {
    expect(weightCases.length + activationCases.length).toBe(442);
  });

  it.each(weightCases)("$scheme, $bits bits, $input weights, $backward", (c) => {
    const ours = schemes[c.scheme].fit(c.x, c.bits, LIKE_REFERENCE);
    const same = asReference(c.scheme, ours, rangeOf(c.x));
    // ClipQ clips x with the step of the call before this one: in these two rules the call is its first, and the step 1.
    const end = 2 ** (c.bits - 1) - 0.5;
    const first = c.scheme === "clip" && c.backward !== "ste";
    const theirs = first ? staircase(same.thresholds, same.levels, { lower: -end, upper: end }) : same;
    const y = forward(theirs, c.x, c.backward, c.ratio);
    expectAgreement(theirs, c.x, y, c.y, 1 - c.ratio);
    const gx = backward(theirs, c.x, c.gy, c.backward);
    for (const [i, g] of c.gx.entries()) expect(gx[i]).toBeCloseTo(g, 6);
  });

  it.each(activationCases)("$scheme, $bits bits, activations in training and evaluation", (c) => {
    for (const { x, y } of c.train) {
      const ours = schemes[c.scheme].fit(x, c.bits, LIKE_REFERENCE);
      const theirs = asReference(c.scheme, ours, rangeOf(x));
      expectAgreement(theirs, x, theirs.apply(x), y);
    }
    const { statistics, minimum, maximum } = runningOfReference(c);
    const ours = fit(c.scheme, c.bits, statistics, LIKE_REFERENCE);
    const theirs = asReference(
      c.scheme,
      ours,
      c.scheme === "zoom" ? { minimum, maximum } : rangeOf(c.eval.x),
    );
    expectAgreement(theirs, c.eval.x, theirs.apply(c.eval.x), c.eval.y);
  });
});

function rangeOf(x: readonly number[]) {
  return { minimum: Math.min(...x), maximum: Math.max(...x) };
}

const LAMBDA: Partial<Record<SchemeName, number[]>> = {
  clip: [1, 0.9957, 0.586, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308],
  pot: [1, 0.9, 0.4, 0.03],
};

/**
 * The statistics that the reference ends its training with, in our terms. It starts every buffer at 1 (fixed: at 0), keeps
 * zoom's step beside its range, updates fixed's range in evaluation too, and stores residual's scales one step late.
 */
function runningOfReference(c: ActivationCase) {
  const batches = c.train.map(({ x }) => measure(x));
  const place = (name: Statistic) => STATISTICS.indexOf(name);
  const running = (start: number, momentum: number, values: number[]) =>
    values.reduce((kept, value) => momentum * kept + (1 - momentum) * value, start);
  const of = (name: Statistic, start: number) =>
    running(
      start,
      0.9,
      batches.map((b) => b[place(name)]!),
    );
  const minimum = of("minimum", 0);
  const maximum = of("maximum", 1);
  const values: Partial<Record<Statistic, number>> = { one: 1 };
  switch (c.scheme) {
    case "binary":
      values.absMean = of("absMean", 1);
      break;
    case "ternary":
      values.absMean = of("absMean", 1 / 1.4);
      values.ternaryMean = of("ternaryMean", 1);
      break;
    case "clip":
    case "pot":
      values.deviation = of("deviation", (1 - 1e-7) / LAMBDA[c.scheme]![c.bits - 1]!);
      break;
    case "zoom": {
      const parts = 2 ** c.bits - 1e-4;
      const step = running(
        1,
        0.9,
        batches.map((b) => (b[place("maximum")]! - b[place("minimum")]!) / parts + 1e-7),
      );
      values.minimum = minimum;
      values.maximum = minimum + (step - 1e-7) * parts;
      break;
    }
    case "fixed": {
      const all = [...batches, measure(c.eval.x)].map((b) => b[place("absMaximum")]!);
      values.absMaximum = running(0, 0.99, all) + 1e-7;
      break;
    }
    case "residual": {
      const late = c.train.map(({ x }) => remainders(x));
      const scales: Statistic[] = ["absMean", "residual2", "residual3", "residual4", "residual5"];
      scales.forEach((name, i) => {
        values[name] = running(
          1,
          0.9,
          late.map((means) => means[i + 1]!),
        );
      });
      break;
    }
  }
  return { statistics: STATISTICS.map((name) => values[name] ?? 0), minimum, maximum };
}
