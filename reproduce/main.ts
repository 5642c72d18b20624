import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AutoqnnError, autoqnn, datasets, htmlReport, terminalProgress } from "../sdk/index.js";
import { floatingNetwork } from "./models/floating.js";

/** The main job: a small network on the shipped data, from floating point to an average of two bits. */
const OUT = process.env["AUTOQNN_OUT"] ?? "out";
const SEED = 7;

async function main(): Promise<void> {
  await mkdir(OUT, { recursive: true });
  const data = await datasets.fashionMnist();
  const onProgress = await terminalProgress();
  const checkpoint = join(OUT, "checkpoints");
  const model = await floatingNetwork("resnet8", data, { seed: SEED, directory: OUT, onProgress });

  const watch = { onProgress, checkpoint };
  const start = autoqnn(model, { data, seed: SEED });
  console.log(String(start.graph.table()));
  const searched = await start.searchSchemes(watch).run();
  const learned = await searched.learnPrecision({ ...watch, budget: { averageBits: 2 } }).run();
  const tuned = await learned.fineTune(watch).run();
  const quantized = await tuned.generate();
  await quantized.save(join(OUT, "artifact"));

  const floating = await model.evaluate(data.test);
  const score = await quantized.evaluate(data.test);
  quantized.summary();
  void floating;
  void score;
  const report = join(OUT, "report.html");
  await writeFile(
    report,
    htmlReport({ title: "ResNet8 on Fashion-MNIST", model: quantized, runs: [searched, learned, tuned] }),
  );
}

main().catch((error: unknown) => {
  const known = error instanceof AutoqnnError && !process.env["AUTOQNN_DEBUG"];
  console.error(known ? error.message : error);
  process.exitCode = 1;
});
