import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { autoqnn, engine, type FineTuneOptions, type Progress } from "../../sdk/index.js";
import { lowered } from "../../sdk/train/progressive.js";
import { blobData, smallNetwork } from "../plan/blobs.js";

const data = blobData();
const model = smallNetwork();
let directory: string;
beforeAll(async () => {
  await engine();
  directory = await mkdtemp(join(tmpdir(), "autoqnn-progressive-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const plan = (bits: number, scheme?: "pot") =>
  autoqnn(model, { data, seed: 5, batchSize: 32, pin: { "*": { bits, ...(scheme && { scheme }) } } });

/** A fine-tune, and the stages that it told of, each with its first and last reported step. */
async function tuned(own: FineTuneOptions, bits = 2) {
  const told: Progress[] = [];
  const run = await plan(bits)
    .fineTune({ reestimate: 1, onProgress: (progress) => told.push(progress), ...own })
    .run();
  const stages = [...new Map(told.map(({ stage, steps }) => [stage, steps]))];
  return { run, told, stages };
}

test("bitwidths fall one after another, in equal parts of the steps, and end at the assignment", async () => {
  const { run, stages } = await tuned({ steps: 20, progressive: [8, 4] });
  const plain = await tuned({ steps: 20 });
  expect(stages).toEqual([
    ["fine-tune at 8 bits", 6],
    ["fine-tune at 4 bits", 6],
    ["fine-tune", 8],
  ]);
  expect(run.assignment).toEqual(plain.run.assignment);
  expect(Object.values(run.assignment).every(({ bits }) => bits === 2)).toBe(true);
  expect([run.history.steps, run.history.loss.length, run.history.accuracy.length]).toEqual([20, 20, 20]);
  // Before any update, the loss is that of the quantizers that stand there.
  const lossAt = async (bits: number) => (await tuned({ steps: 1 }, bits)).run.history.loss[0];
  expect(run.history.loss[0]).toBe(await lossAt(8));
  expect(run.history.loss[0]).not.toBe(await lossAt(2));
  // At the end, the network is what the assignment makes of its weights.
  const quantized = await autoqnn(model, { data, seed: 5, batchSize: 32, pin: { "*": { bits: 2 } } })
    .fineTune({ steps: 20, progressive: [8, 4], reestimate: 1 })
    .generate();
  for (const { staircase, id } of quantized.nodes) expect(staircase.levels.length, id).toBeLessThanOrEqual(4);
  expect((await quantized.evaluate(data.validation)).loss).toBeCloseTo(run.validation!.loss, 5);
});

test("bitwidths that change nothing take no steps", async () => {
  const { run, stages } = await tuned({ steps: 6, progressive: [4, 2] }, 4);
  expect(stages).toEqual([["fine-tune", 6]]);
  expect(run.history.loss).toEqual((await tuned({ steps: 6 }, 4)).run.history.loss);
});

test("one that is stopped at a higher bitwidth goes on there, and ends with the bits of an undisturbed one", async () => {
  const options = { steps: 40, progressive: [8, 4], checkpoint: directory };
  const undisturbed = await tuned({ steps: 40, progressive: [8, 4] });
  const stop = new AbortController();
  const onProgress = ({ stage, step }: Progress): void => {
    if (stage === "fine-tune at 4 bits" && step >= 5) stop.abort();
  };
  const stopped = plan(2)
    .fineTune({ ...options, reestimate: 1, signal: stop.signal, onProgress })
    .run();
  await expect(stopped).rejects.toMatchObject({ code: "aborted" });
  const { run, told } = await tuned(options);
  const [first] = told as [Progress, ...Progress[]];
  expect([first.stage, first.step > 5]).toEqual(["fine-tune at 4 bits", true]);
  expect(run.history.loss).toEqual(undisturbed.run.history.loss);
  expect(run.snapshot.variables).toEqual(undisturbed.run.snapshot.variables);
});

describe("the assignment at a higher bitwidth", () => {
  test("leaves alone what has more bits, and continues schemes that do not have it", () => {
    const { graph } = plan(2);
    const [first, second] = graph.nodes.map(({ id }) => id) as [string, string];
    const assignment = {
      [first]: { scheme: "pot", bits: 3 },
      [second]: { scheme: "zoom", bits: 6 },
    } as const;
    expect(lowered(graph, {}, assignment, [8, 5, 4, 3])).toEqual([
      {
        bits: 8,
        assignment: { [first]: { scheme: "clip", bits: 8 }, [second]: { scheme: "zoom", bits: 8 } },
      },
      {
        bits: 5,
        assignment: { [first]: { scheme: "clip", bits: 5 }, [second]: { scheme: "zoom", bits: 6 } },
      },
      { bits: 4, assignment: { [first]: { scheme: "pot", bits: 4 }, [second]: { scheme: "zoom", bits: 6 } } },
    ]);
  });
});

test.each([
  [{ progressive: [4, 8] }, /progressive.*descend.*\[4,8\]/],
  [{ progressive: [] }, /progressive/],
  [{ progressive: [16] }, /progressive/],
  [{ progressive: [8, 4], steps: 2 }, /steps.*more steps than bitwidths in progressive/],
] as const)("%j is refused before anything is trained", (options, message) => {
  expect(() => plan(2).fineTune(options as never)).toThrow(message);
});
