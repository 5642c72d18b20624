import { expect, test } from "vitest";
import { describeSensitivity, sensitivityTable } from "../../sdk/report/sensitivityTable.js";
import { asText } from "../../sdk/table.js";
import type { Sensitivity } from "../../sdk/train/sensitivity.js";

const measured: Sensitivity = {
  rows: [
    { node: "a", kind: "weight", scheme: "binary", bits: 1, up: { loss: -0.1, error: 0.01 } },
    { node: "b", kind: "input", scheme: "clip", bits: 8, down: { loss: 0.3, error: 0.03 } },
  ],
  ...{ loss: 0.5, accuracy: 0.875, examples: 200, labels: "hard" },
};

test("a change stands in the column of its direction, with its error, and nothing where there is no such bitwidth", () => {
  const { header, cells } = sensitivityTable(measured.rows);
  const changes = ["one bit less (nat)", "± less (nat)", "one bit more (nat)", "± more (nat)"];
  expect(header).toEqual(["node", "scheme", "bits", ...changes]);
  expect(cells).toEqual([
    ["a", "binary", 1, undefined, undefined, -0.1, 0.01],
    ["b", "clip", 8, 0.3, 0.03, undefined, undefined],
  ]);
});

test("as text it says on what it was measured, above the table of a report", () => {
  const [first, ...lines] = describeSensitivity(measured).split("\n");
  expect(first).toMatch(/200 held-out examples, against the labels of the data: loss 0\.5000, 87\.50 %/);
  expect(lines.join("\n")).toBe(asText(sensitivityTable(measured.rows)));
});
