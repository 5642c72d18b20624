import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { AutoqnnError, autoqnn, datasets, engine, saveReport, score, textReport } from "../sdk/index.js";
import { floatingNetwork } from "./models/floating.js";

/** The main job: a small network on the shipped data, from floating point to an average of two bits. */
const OUT = process.env.AUTOQNN_OUT ?? "out";
const SEED = 7;

async function main(): Promise<void> {
  await mkdir(OUT, { recursive: true });
  // Started first, so that the network is built where it is trained.
  await engine();
  const data = await datasets.fashionMnist();
  const model = await floatingNetwork("resnet8", data, { seed: SEED, directory: OUT });

  const watch = { checkpoint: join(OUT, "checkpoints") };
  const start = autoqnn(model, { data, seed: SEED });
  const searched = await start.searchSchemes(watch).run();
  const learned = await searched.learnPrecision({ ...watch, budget: { averageBits: 2 } }).run();
  const tuned = await learned.fineTune(watch).run();
  const quantized = await tuned.generate();
  await quantized.save(join(OUT, "artifact"));

  const report = {
    title: "ResNet8 on Fashion-MNIST",
    floating: await score(model, data.test),
    quantized: await quantized.evaluate(data.test),
    model: quantized,
    runs: [searched, learned, tuned],
    errors: await quantized.errors(model, data.test),
    confusion: await quantized.confusion(data.test, data),
    notes: [
      "55,000 training images, 5,000 for every choice; of the 10,000 test images nothing but this report was made.",
    ],
  };
  await saveReport(report, OUT);
  console.log(textReport(report));
  console.log(`\nArtifact: ${join(OUT, "artifact")}\nReport: ${join(OUT, "report.html")}`);
}

main().catch((error: unknown) => {
  const known = error instanceof AutoqnnError && !process.env.AUTOQNN_DEBUG;
  console.error(known ? error.message : error);
  process.exitCode = 1;
});
