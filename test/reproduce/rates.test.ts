import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { NAMES } from "../../reproduce/methods/names.js";
import { Outcomes } from "../../reproduce/outcomes.js";
import { SCALES } from "../../reproduce/scales.js";
import { outcome } from "./outcomes.js";

const LOSSES: Readonly<Record<number, readonly number[]>> = {
  0.003: [0.2, 0.5, 0.5],
  0.01: [0.3, 0.3, 0.3],
  0.03: [0.4, 0.4, 0.4],
};

test("a family's rate is that of the least validation loss at these bits over all seeds, once all are there", () => {
  const directory = mkdtempSync(join(tmpdir(), "autoqnn-rates-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "outcomes.jsonl");
  const outcomes = new Outcomes(path, SCALES.small);
  const asked = { network: "resnet8", method: NAMES.memoryControl, bits: 3 };
  const jobs = outcomes.tuning(asked);
  expect(new Set(jobs.map(({ method, bits }) => `${method} ${bits}`))).toEqual(
    new Set([`${NAMES.control} 3`]),
  );
  for (const job of jobs) {
    expect(outcomes.rateOf(asked)).toBeUndefined();
    const loss = LOSSES[job.rate]![job.seed]!;
    outcomes.add(outcome(job, { rate: job.rate, validation: { loss, accuracy: 0.9, count: 100 } }));
  }
  expect(outcomes.rateOf(asked)).toBe(0.01);
  expect(new Outcomes(path, SCALES.small).rateOf(asked)).toBe(0.01);
  expect(outcomes.rateOf({ ...asked, bits: 2 })).toBeUndefined();
  expect(outcomes.of({ ...asked, method: NAMES.control, seed: 2 })?.validation.loss).toBe(0.3);
});
