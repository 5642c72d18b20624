import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { estimate, hoursOf, stepOf, type Training } from "../../reproduce/estimate.js";
import { FLOATING } from "../../reproduce/experiment.js";
import { NAMES } from "../../reproduce/methods/names.js";
import { cost } from "../../reproduce/tables/cost.js";
import { precision } from "../../reproduce/tables/precision.js";

const SCALE = {
  name: "x",
  title: "x",
  networks: ["resnet18", "resnet20"],
  seeds: [0, 1, 2],
  bits: [2, 3, 4],
};
const training: Training = { steps: 1000, startSteps: 500, batchSize: 64 };

const file = new URL("../../reproduce/bench/results/speed/gpu.json", import.meta.url);
const { networks } = JSON.parse(readFileSync(file, "utf8"));

test("what was measured comes out as it was, and goes with the batch", () => {
  const { resnet18, resnet20 } = networks;
  expect(stepOf("resnet18", 128)).toBeCloseTo(resnet18.fp32.median, 9);
  expect(stepOf("resnet20", 128, "oneScheme")).toBeCloseTo(resnet20["one-scheme"].median, 9);
  expect(stepOf("resnet20", 256, "learning")).toBeCloseTo(2 * resnet20.qpl.median, 9);
  expect(stepOf("alexnet", 128)).toBeLessThan(resnet18.fp32.median);
  expect(() => stepOf("resnet9", 64)).toThrow("resnet9");
});

test("a search takes longer than one scheme, that longer than floating point", () => {
  const hours = (method: string) => hoursOf({ network: "resnet18", method, bits: 2, seed: 0 }, training);
  expect(hours(FLOATING)).toBeCloseTo((500 * networks.resnet18.fp32.median) / 3_600_000, 9);
  expect(hours(NAMES.lsq)).toBeGreaterThan(hours(FLOATING));
  expect(hours(NAMES.search)).toBeGreaterThan(hours(NAMES.lsq));
  expect(hours(NAMES.chain)).toBeGreaterThan(hours(NAMES.search));
});

test("tables that share networks pay for them once", () => {
  const { cells, header } = estimate(SCALE, [precision, cost], () => training, 3);
  const column = (title: string) => cells.map((row) => row[header.indexOf(title)] as number);
  const [networks, hours, price] = [column("networks"), column("time (h)"), column("price ($)")];
  const shared = new Set(precision.requests(SCALE).map((request) => JSON.stringify(request)));
  const both = cost.requests(SCALE).filter((request) => shared.has(JSON.stringify(request))).length;
  expect(both).toBeGreaterThan(0);
  expect(networks[3]).toBe(networks[1]! + networks[2]! - both);
  expect(hours[3]).toBeLessThan(hours[1]! + hours[2]!);
  expect(hours[3]).toBeGreaterThan(Math.max(hours[1]!, hours[2]!));
  expect(price[3]).toBeCloseTo(3 * hours[3]!, 9);
});
