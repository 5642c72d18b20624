import { describe, expect, it } from "vitest";
import { confusionMatrix, confusionTable } from "../../sdk/report/confusion.js";
import { asRecords } from "../../sdk/table.js";

const confusion = {
  counts: [
    [6, 2, 0],
    [0, 4, 0],
    [0, 0, 0],
  ],
  classes: ["cat", "dog", "bird"],
};

describe("confusionMatrix", () => {
  it("colours by the share of the true class, and writes the counts", () => {
    const [heat] = confusionMatrix(confusion).data as unknown as [{ z: number[][]; text: number[][] }];
    expect(heat.z).toEqual([
      [75, 25, 0],
      [0, 100, 0],
      [0, 0, 0],
    ]);
    expect(heat.text).toEqual(confusion.counts);
  });

  it("refuses counts that do not fit the names", () => {
    expect(() => confusionMatrix({ ...confusion, classes: ["cat", "dog"] })).toThrow(/2 different classes/);
    expect(() => confusionMatrix({ ...confusion, classes: ["cat", "dog", "dog"] })).toThrow(/different/);
  });
});

describe("confusionTable", () => {
  it("says what is found, what is right, and what is mistaken", () => {
    const [cat, dog, bird] = asRecords(confusionTable(confusion));
    expect(cat).toEqual({
      ...{ class: "cat", examples: 8, "recall (%)": 75, "precision (%)": 100 },
      ...{ "taken most for": "dog", "so often": 2 },
    });
    expect(dog!["precision (%)"]).toBeCloseTo(66.67, 2);
    expect([bird!["recall (%)"], bird!["taken most for"]]).toEqual([undefined, undefined]);
  });
});
