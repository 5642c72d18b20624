import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { engine } from "../../../sdk/index.js";
import { Stepper } from "../../../sdk/train/stepper.js";
import { VERSION } from "../../../sdk/version.js";
import type { Network } from "./networks.js";
import type { Ran, Ready } from "./protocol.js";
import { randomBatch, stageOf, stepsOf } from "./stages.js";

// Our side of the bench: the counterpart of ../peers/turns.py, with the same commands and answers.

const WARM_UP = 6;

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const { values } = parseArgs({
    options: { method: text, name: text, batch: text, image: text, classes: text, threads: text },
  });
  const { method = "", name = "" } = values;
  const [batch, image, classes] = [values.batch, values.image, values.classes].map(Number) as [
    number,
    number,
    number,
  ];
  const network: Network = { id: name, name, batch, image, classes };
  const running = await engine();
  const { x, y } = randomBatch(network);
  const { stage, candidates } = await stageOf(method, network, running, { x, y });
  const step = stepsOf(new Stepper(stage), { x, y });

  const before = memory("VmRSS");
  const warmUp = await times(step, WARM_UP);
  answer({ before, warmUp, versions: { autoqnn: VERSION, node: process.versions.node }, candidates });
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, count] = line.split(" ");
    if (command !== "run") throw new Error(`Expected "run N", received "${line}".`);
    // The others have had the caches since the last run.
    await step();
    const earlier = performance.eventLoopUtilization();
    const steps = await times(step, Number(count));
    const { utilization } = performance.eventLoopUtilization(earlier);
    answer({ steps, peak: memory("VmHWM"), javascript: utilization });
  }
}

const answer = (value: Ready | Ran): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

async function times(step: () => Promise<void>, count: number): Promise<number[]> {
  const found: number[] = [];
  for (let i = 0; i < count; i++) {
    const begun = performance.now();
    await step();
    found.push(performance.now() - begun);
  }
  return found;
}

/** Bytes of resident memory, now (VmRSS) or at most (VmHWM). */
function memory(field: "VmRSS" | "VmHWM"): number {
  const found = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"));
  return Number(found![1]) * 1024;
}

await main();
