import { rm } from "node:fs/promises";
import type { GenerateOptions, LearnPrecisionOptions } from "../index.js";
import { readData } from "./data.js";

interface Options {
  readonly data: string;
  readonly budget: NonNullable<LearnPrecisionOptions["budget"]>;
  readonly epochs?: number;
  readonly seed: number;
  readonly batchNormalization?: NonNullable<GenerateOptions["batchNormalization"]>;
  readonly out: string;
}

/** Runs the default chain. Interrupted and run again, it goes on from the checkpoints beside the output directory. */
export async function quantize(
  path: string,
  { data: name, budget, epochs, seed, batchNormalization, out }: Options,
): Promise<void> {
  const { autoqnn, checkDestination, engine, models, score, terminalProgress } = await import("../index.js");
  await checkDestination(out);
  await engine();
  const model = await models.load(path);
  const data = await readData(name, model.inputs[0]?.shape ?? []);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  const checkpoint = `${out.replace(/\/+$/, "")}.checkpoints`;
  const onProgress = await terminalProgress();
  const stage = { checkpoint, onProgress, signal: stop.signal, ...(epochs !== undefined && { epochs }) };
  const quantized = await autoqnn(model, { data, seed })
    .searchSchemes(stage)
    .learnPrecision({ ...stage, budget })
    .fineTune(stage)
    .generate({ ...(batchNormalization && { batchNormalization }) });
  await quantized.save(out);
  await rm(checkpoint, { recursive: true, force: true });
  quantized.summary();
  const before = await score(model, data.test);
  const after = await quantized.evaluate(data.test);
  console.log(`\nTest accuracy: ${percent(before.accuracy)} in FP32, ${percent(after.accuracy)} quantized.`);
  console.log(`Saved in ${out}.`);
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} %`;
}
