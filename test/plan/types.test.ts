import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { autoqnn } from "../../sdk/index.js";

beforeAll(() => tf.setBackend("cpu"));

const model = (): tf.LayersModel =>
  tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 3, activation: "softmax" })] });

// The compiler is the test here: `npm run typecheck` fails where an error that is expected does not occur.
test("a plan offers only what makes sense next", () => {
  const searched = autoqnn(model()).searchSchemes();
  // @ts-expect-error searching twice
  expect(searched.searchSchemes).toBeUndefined();

  const learned = searched.learnPrecision({ budget: { averageBits: 2 } });
  // @ts-expect-error searching after learning
  expect(learned.searchSchemes).toBeUndefined();
  // @ts-expect-error learning twice
  expect(learned.learnPrecision).toBeUndefined();

  const tuned = learned.fineTune();
  // @ts-expect-error fine-tuning twice
  expect(tuned.fineTune).toBeUndefined();

  // @ts-expect-error a plan is not a promise: awaiting it by mistake must not start work
  expect(tuned.then).toBeUndefined();
});

test("options are typed and checked alike", () => {
  // @ts-expect-error a scheme that does not exist
  expect(() => autoqnn(model()).searchSchemes({ candidates: ["clap"] })).toThrow(/clip/);
  // @ts-expect-error an option that does not exist
  expect(() => autoqnn(model()).fineTune({ epoch: 3 })).toThrow(/epochs/);
  expect(() => autoqnn(model()).searchSchemes({ bits: 9 })).toThrow(/searchSchemes\.bits/);
  expect(() => autoqnn(model()).learnPrecision({ budget: {} })).toThrow(/budget/);
});
