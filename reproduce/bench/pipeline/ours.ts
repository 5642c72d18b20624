import { readFileSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { type BatchOptions, datasets, tf } from "../../../sdk/index.js";
import { VERSION } from "../../../sdk/version.js";
import type { Ran, Ready } from "../speed/protocol.js";

// Our side of the bench: the counterpart of ../peers/turns.py, with the same commands and answers.

/** What is asked for beside windows of random size and flips. */
const AUGMENT: Record<string, NonNullable<BatchOptions["augment"]>> = {
  crop: {},
  jitter: { jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 } },
  randaugment: { randAugment: { operations: 2, magnitude: 9 } },
};

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { method: text, folder: text, batch: text, size: text, threads: text },
  });
  const { method = "", folder = "" } = values;
  const data = await datasets.imageFolder(folder, { size: Number(values.size), fit: "crop", validation: 0 });
  const augment = { flip: true, crop: true, ...AUGMENT[method]! };
  let epoch = 0;
  const pass = async (): Promise<number> => {
    const begun = performance.now();
    const options = { batchSize: Number(values.batch), seed: 1, epoch: epoch++, augment, dropLast: true };
    for await (const { x, y } of data.train.batches(options)) {
      use([x, y]);
      tf.dispose([x, y]);
    }
    return performance.now() - begun;
  };
  const before = memory("VmRSS");
  answer({
    before,
    warmUp: [await pass()],
    versions: { autoqnn: VERSION, tfjs: tf.version_core, node: process.versions.node },
  });
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, count] = line.split(" ");
    if (command !== "run") throw new Error(`Expected "run N", received "${line}".`);
    const steps: number[] = [];
    for (let i = 0; i < Number(count); i++) steps.push(await pass());
    answer({ steps, peak: memory("VmHWM") });
  }
}

const answer = (value: Ready | Ran): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

/** Puts a batch where a step would read it. */
function use(tensors: tf.Tensor[]): void {
  const backend = tf.backend() as unknown as { getInputTensorIds(tensors: tf.Tensor[]): number[] };
  backend.getInputTensorIds(tensors);
}

/** Bytes of resident memory, now (VmRSS) or at most (VmHWM). */
function memory(field: "VmRSS" | "VmHWM"): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"));
  return Number(found![1]) * 1024;
}

await main();
