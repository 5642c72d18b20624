import { rm } from "node:fs/promises";
import { basename } from "node:path";
import type { Command } from "commander";
import type {
  AutoqnnOptions,
  FineTuneOptions,
  GenerateOptions,
  LearnPrecisionOptions,
  Start,
} from "../index.js";
import { readData } from "./data.js";

type Budget = NonNullable<LearnPrecisionOptions["budget"]>;

interface Options
  extends Pick<AutoqnnOptions, "perChannel" | "recurrentState" | "attentionProducts">,
    Pick<GenerateOptions, "batchNormalization" | "biasCorrection"> {
  readonly data: string;
  readonly budget: Budget;
  readonly training: boolean;
  readonly epochs?: number;
  readonly progressive?: number[];
  readonly seed: number;
  readonly out: string;
  readonly report?: string;
}

/**
 * Runs the default chain, or none of its stages. Interrupted and run again, it goes on from the checkpoints beside the output
 * directory, which the stages say themselves when a signal stops them.
 */
export async function quantize(
  path: string,
  {
    data: name,
    budget,
    training,
    epochs,
    progressive,
    seed,
    batchNormalization,
    biasCorrection,
    out,
    report,
    ...edges
  }: Options,
  command: Command,
): Promise<void> {
  if (biasCorrection && training)
    command.error("error: option '--bias-correction' needs '--no-training': training moves biases itself");
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
  const start = autoqnn(model, { ...edges, data, seed });
  const runs = training ? await stages(start, stage, budget, progressive) : [];
  const quantized = await (runs[2] ?? start).generate({ batchNormalization, biasCorrection });
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
  await saveReport(
    { title, floating: before, quantized: after, model: quantized, runs, errors, confusion },
    report,
  );
  console.log(`Report in ${report}.`);
}

/** The stages, one after another. */
async function stages(
  start: Start,
  stage: Pick<FineTuneOptions, "checkpoint" | "onProgress" | "epochs">,
  budget: Budget,
  progressive: number[] | undefined,
) {
  const searched = await start.searchSchemes(stage).run();
  const learned = await searched.learnPrecision({ ...stage, budget }).run();
  const tuned = await learned.fineTune({ ...stage, ...(progressive && { progressive }) }).run();
  return [searched, learned, tuned] as const;
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(2)} %`;
}
