import { beforeAll, expect, test } from "vitest";
import { ABLATIONS } from "../../reproduce/methods/ablation.js";
import type { Measured, Protocol } from "../../reproduce/methods/method.js";
import { NAMES, withoutScheme } from "../../reproduce/methods/names.js";
import { memoryAt, PRECISION } from "../../reproduce/methods/precision.js";
import { engine, pretrain, type tf } from "../../sdk/index.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

const data = blobData();
const protocol: Protocol = {
  ...{ data, seed: 5, bits: 2, steps: 60, batchSize: 32, learningRate: 0.01 },
  watch: { onProgress: () => {} },
};
let model: tf.LayersModel;

beforeAll(async () => {
  await engine();
  model = smallNetwork();
  await pretrain(model, data, { epochs: 3, batchSize: 32, learningRate: 0.01, onProgress: () => {} });
});

const run = (name: string, more: Partial<Protocol> = {}): Promise<Measured> =>
  [...ABLATIONS, ...PRECISION].find((method) => method.name === name)!.run(model, { ...protocol, ...more });

test("uniform bits are the same everywhere, and fill the budget of memory", async () => {
  const { nodes, averageBits, memoryBytes } = await run(NAMES.uniform, { bits: 3 });
  expect(nodes!.every(({ scheme, bits }) => scheme === "clip" && bits === 3)).toBe(true);
  expect(averageBits).toEqual({ weights: 3, activations: 3 });
  expect(memoryBytes).toBe(memoryAt(model, 3));
});

test("a budget of memory is kept, whatever weights and inputs take of it", async () => {
  const { memoryBytes, stages } = await run(NAMES.memory);
  expect(memoryBytes).toBeLessThanOrEqual(memoryAt(model, 2));
  expect(memoryBytes).toBeGreaterThan(0);
  expect(stages!.map(({ name }) => name)).toEqual(["precision learning", "fine-tuning"]);
  expect(stages!.every(({ seconds, stepMilliseconds }) => seconds > 0 && stepMilliseconds! > 0)).toBe(true);
});

test("a scheme that is left out of the search stands nowhere", async () => {
  const { nodes, averageBits } = await run(withoutScheme("clip"));
  expect(nodes!.some(({ scheme }) => scheme === "clip")).toBe(false);
  expect(averageBits.weights).toBeLessThanOrEqual(2);
});

test("one scheme for the model is one for all weights, and one for all inputs of a range", async () => {
  const { nodes } = await run(NAMES.modelSearch);
  expect(new Set(nodes!.flatMap(({ kind, scheme }) => (kind === "weight" ? [scheme] : []))).size).toBe(1);
});

test("every method has a name of its own", () => {
  const names = [...ABLATIONS, ...PRECISION].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
