import { rm } from "node:fs/promises";
import { basename } from "node:path";
import type { GenerateOptions, LearnPrecisionOptions } from "../index.js";
import { readData } from "./data.js";

interface Options {
  readonly data: string;
  readonly budget: NonNullable<LearnPrecisionOptions["budget"]>;
  readonly epochs?: number;
  readonly seed: number;
  readonly batchNormalization?: NonNullable<GenerateOptions["batchNormalization"]>;
  readonly out: string;
  readonly report?: string;
}

/**
 * Runs the default chain. Interrupted and run again, it goes on from the checkpoints beside the output directory, which the
 * stages say themselves when a signal stops them.
 */
export async function quantize(
  path: string,
  { data: name, budget, epochs, seed, batchNormalization, out, report }: Options,
): Promise<void> {
  const {
    autoqnn,
    checkDestination,
    checkReportDirectory,
    engine,
    models,
    saveReport,
    score,
    terminalProgress,
  } = await import("../index.js");
  await checkDestination(out);
  if (report !== undefined) await checkReportDirectory(report);
  await engine();
  const model = await models.load(path);
  const data = await readData(name, model.inputs[0]?.shape ?? []);
  const checkpoint = `${out.replace(/\/+$/, "")}.checkpoints`;
  const onProgress = await terminalProgress();
  const stage = { checkpoint, onProgress, ...(epochs !== undefined && { epochs }) };
  const searched = await autoqnn(model, { data, seed }).searchSchemes(stage).run();
  const learned = await searched.learnPrecision({ ...stage, budget }).run();
  const tuned = await learned.fineTune(stage).run();
  const quantized = await tuned.generate({ ...(batchNormalization && { batchNormalization }) });
  await quantized.save(out);
  await rm(checkpoint, { recursive: true, force: true });
  quantized.summary();
  const before = await score(model, data.test);
  const after = await quantized.evaluate(data.test);
  console.log(`\nTest accuracy: ${percent(before.accuracy)} in FP32, ${percent(after.accuracy)} quantized.`);
  console.log(`Saved in ${out}.`);
  if (report === undefined) return;
  const title = `${basename(path)}, quantized`;
  const errors = await quantized.errors(model, data.test);
  const confusion = await quantized.confusion(data.test, data);
  const runs = [searched, learned, tuned];
  await saveReport(
    { title, floating: before, quantized: after, model: quantized, runs, errors, confusion },
    report,
  );
  console.log(`Report in ${report}.`);
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} %`;
}
