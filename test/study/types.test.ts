import * as tf from "@tensorflow/tfjs";
import { beforeAll, expect, test } from "vitest";
import { autoqnn, study } from "../../sdk/index.js";

beforeAll(() => tf.setBackend("cpu"));

const data = { train: [], validation: [] };
const model = (): tf.LayersModel =>
  tf.sequential({ layers: [tf.layers.dense({ inputShape: [4], units: 3, activation: "softmax" })] });

// The compiler is the test here: `npm run typecheck` fails where an error that is expected does not occur.
test("axes and their values are typed, and rows have their types", () => {
  const plan = autoqnn(model(), { data }).searchSchemes().learnPrecision();
  // @ts-expect-error an axis that is not known
  expect(() => study(plan).over({ granularty: ["layer"] })).toThrow(/granularity/);
  // @ts-expect-error a value that is not one
  expect(() => study(plan).over({ granularity: ["layers"] })).toThrow(/layer/);

  const grid = study(plan).over({ granularity: ["layer"], budget: [{ averageBits: 2 }], seed: [0, 1] });
  type Row = Awaited<ReturnType<typeof grid.run>>["rows"][number];
  const read = (row: Row): [string, string, number] => {
    // @ts-expect-error an axis that the study has not
    expect(row.firstLast).toBeUndefined();
    // @ts-expect-error a failed cell has no accuracy
    expect(row.accuracy.toFixed).toBeDefined();
    if (row.state === "done") expect(row.accuracy.toFixed).toBeDefined();
    const granularity: "layer" | "model" = row.granularity;
    return [granularity, row.budget, row.seed];
  };
  const row = { granularity: "layer", budget: "averageBits=2", seed: 0, state: "done", accuracy: 1 };
  expect(read(row as Row)).toEqual(["layer", "averageBits=2", 0]);
});

test("a function's cells give the axes", () => {
  const own = study(({ depth }: { depth: 8 | 20 }) => autoqnn(model(), { data, seed: depth }));
  expect(own.over({ depth: [8, 20] }).cells).toHaveLength(2);
  // @ts-expect-error a value that the function does not take
  expect(own.over({ depth: [9] }).cells).toHaveLength(1);
  // @ts-expect-error an axis is missing
  expect(() => own.over({})).not.toThrow();
});
