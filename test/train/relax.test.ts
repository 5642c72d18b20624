import * as tf from "@tensorflow/tfjs";
import { beforeAll, describe, expect, test } from "vitest";
import { mixture } from "../../sdk/engine/mixture.js";
import { statistics } from "../../sdk/engine/ops.js";
import { backward, forward, type GradientRule } from "../../sdk/staircase/gradient.js";
import { fit, measure, type SearchedScheme } from "../../sdk/staircase/schemes.js";
import { stream } from "../../sdk/train/random.js";
import { relaxed } from "../../sdk/train/relax.js";

beforeAll(() => tf.setBackend("cpu"));

const draw = stream(11, "relax");
const normal = (): number => Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw());
const signedValues = Float32Array.from({ length: 400 }, normal);
const positiveValues = signedValues.map((value) => Math.max(0, value));
const dy = Float32Array.from({ length: 400 }, normal);
const ratio = 0.25;

const RULES: readonly GradientRule[] = ["ste", "pwl", "pwl-c"];
const SCHEMES: readonly [SearchedScheme, number][] = [
  ["clip", 2],
  ["zoom", 3],
  ["fixed", 2],
  ["pot", 3],
];

describe.each(RULES)("%s on the device is the rule of the host", (rule) => {
  const cases = SCHEMES.flatMap(([scheme, bits]) => [
    { scheme, bits, signed: true },
    { scheme, bits, signed: false },
  ]);
  test.each(cases)("$scheme, $bits bits, signed $signed", ({ scheme, bits, signed }) => {
    const values = signed ? signedValues : positiveValues;
    const range = { signed, zero: false };
    const scale = 1.1;
    const host = fit(scheme, bits, measure(values), range, scale);
    const pass = tf.valueAndGrad((x: tf.Tensor) => {
      const staircase = mixture([{ scheme, bits }], range)(statistics(tf.tensor1d(values)), tf.tensor1d([1]));
      return relaxed(rule, x, staircase, tf.scalar(scale), tf.scalar(rule === "ste" ? 0 : ratio));
    });
    const { value, grad } = pass(tf.tensor1d(values), tf.tensor1d(dy));
    const y = forward(host, values, rule, ratio);
    const dx = backward(host, values, dy, rule);
    for (const [i, expected] of y.entries()) expect(value.dataSync()[i]).toBeCloseTo(expected, 5);
    const theirs = grad.dataSync();
    expect([...dx.keys()].filter((i) => Math.abs(theirs[i]! - dx[i]!) > 1e-5)).toEqual([]);
  });
});
