import { describe, expect, test } from "vitest";
import { oscillating, stuck } from "../../../sdk/train/health/bitwidths.js";
import { dead } from "../../../sdk/train/health/dead.js";
import { premature } from "../../../sdk/train/health/logits.js";
import { constant, drifting, nonFinite } from "../../../sdk/train/health/values.js";
import type { NodeView, Way } from "../../../sdk/train/health/view.js";
import type { Look } from "../../../sdk/train/look.js";

const DONE = 100;

/** A view of an input whose bitwidth goes as `bits` says, with gradients as `gradient` says. */
function viewOf(bits: (t: number) => number, gradient: (t: number) => number = () => 1): NodeView {
  return {
    ...{ id: "a/input", kind: "input", done: DONE, steps: DONE, loss: new Float32Array(DONE).fill(0.3) },
    bitwidth: { ...way(1, (t) => [bits(t)], gradient), least: 1, most: 8 },
    looks: [],
  };
}

function way(width: number, row: (t: number) => number[], gradient: (t: number) => number): Way {
  return {
    width,
    start: Float32Array.from(row(0)),
    values: Float32Array.from({ length: DONE * width }, (_, i) => row(Math.floor(i / width) + 1)[i % width]!),
    gradients: Float32Array.from({ length: DONE * width }, (_, i) => gradient(Math.floor(i / width) + 1)),
  };
}

const lookedAt = (looks: readonly Partial<Look>[]): NodeView => ({
  ...viewOf((t) => 3 - t / 100),
  looks: looks.map((look, i) => ({
    ...{ step: 10 * (i + 1), minimum: 0, maximum: 1, rms: 0.5, least: 0, most: 1, passing: 1 },
    ...look,
  })),
});

describe("what is like a fault is none", () => {
  test("a gradient that is zero now and then, or only lately", () => {
    expect(
      dead(
        viewOf(
          () => 3,
          (t) => t % 2,
        ),
      ),
    ).toBeUndefined();
    expect(
      dead(
        viewOf(
          () => 3,
          (t) => Number(t < 60),
        ),
      ),
    ).toBeUndefined();
    expect(
      dead(
        viewOf(
          () => 3,
          (t) => Number(t < 40),
        ),
      ),
    ).toMatchObject({ since: 40 });
  });

  test("logits that get no gradient because they have decided", () => {
    const late = { ...viewOf(() => 3), bitwidth: undefined as never };
    const gradient = (t: number) => Number(t < 30);
    expect(dead({ ...late, logits: way(2, () => [9, 0], gradient) })).toBeUndefined();
    expect(dead({ ...late, logits: way(2, () => [1, 0], gradient) })).toMatchObject({ since: 30 });
  });

  test("a bitwidth that comes back to its start, or stands at 8", () => {
    expect(stuck(viewOf((t) => 3 + Math.sin((Math.PI * t) / DONE)))).toBeUndefined();
    expect(
      stuck(
        viewOf(
          (t) => Math.min(8, 3 + t / 10),
          () => -1,
        ),
      ),
    ).toBeUndefined();
  });

  test("noise around x.5", () => {
    expect(oscillating(viewOf((t) => 2.5 + 0.1 * (-1) ** t))).toBeUndefined();
    expect(oscillating(viewOf((t) => 2.5 + 0.2 * (-1) ** t))).toMatchObject({ evidence: { around: 2.5 } });
  });

  test("a choice that is made after the first tenth", () => {
    const at = (step: number) =>
      way(
        3,
        (t) => (t < step ? [0, 0, 0] : [9, 0, 0]),
        () => 1,
      );
    expect(premature({ ...viewOf(() => 3), logits: at(11) })).toBeUndefined();
    expect(premature({ ...viewOf(() => 3), logits: at(10) })).toMatchObject({ since: 10 });
  });

  test("one batch that falls on one level", () => {
    expect(constant(lookedAt([{}, {}, { most: 0 }]))).toBeUndefined();
    expect(constant(lookedAt([{}, { most: 0 }, { most: 0 }]))).toMatchObject({ since: 20 });
  });

  test("values that shrink while a network settles, or grow without doubling", () => {
    const sized = (...sizes: number[]) => lookedAt(sizes.map((rms) => ({ rms })));
    expect(drifting(sized(9, 4, 2, 1, 1, 1, 0.9))).toBeUndefined();
    expect(drifting(sized(1, 1, 1, 1.2, 1.5, 1.9))).toBeUndefined();
    expect(drifting(sized(1, 1, 1.2, 1.6, 2.1, 3))).toMatchObject({ since: 30, evidence: { "rms now": 3 } });
  });
});

test("values that are no numbers are found though the quantizer gives a level for them, and since when", () => {
  expect(nonFinite(lookedAt([{}, {}]))).toBeUndefined();
  expect(nonFinite(lookedAt([{}, { rms: Number.NaN, maximum: Number.NaN }, {}]))).toMatchObject({
    since: 20,
  });
  expect(nonFinite(viewOf((t) => (t < 7 ? 3 : Number.NaN)))).toMatchObject({ since: 7 });
});
