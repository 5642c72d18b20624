import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { datasets, engine, pretrain, score, type tf } from "../../sdk/index.js";
import { FLOATING } from "../experiment.js";
import { METHODS } from "../methods/index.js";
import type { Measured, Method, Protocol } from "../methods/method.js";
import { floatingNetwork, networkOf } from "../models/floating.js";

const HELP = `Compares methods at two bits on Fashion-MNIST under one protocol.

  npx tsx reproduce/bench/accuracy.ts [--network resnet8|resnet14|resnet20] [--seeds 3] [--steps 938] [--rates 0.003,0.01,0.03]
                                      [--methods NAME,...] [--shard I/N] [--results DIR] [--out DIR] [--table]

Every method starts from the same floating-point networks, one a seed, and trains for the same steps, searches included.
Learning rates are chosen on validation loss with the first seed, for the first method of each family; the test images are
read once per finished cell. Cells are kept in --results and not run again, so a run that was stopped goes on, and --shard
spreads them over processes. --table only prints what is there.
`;

/** What one trained network gave. */
interface Cell extends Measured {
  readonly method: string;
  readonly rate: number;
  readonly seed: number;
  readonly seconds: number;
}

const { values: options } = parseArgs({
  options: {
    network: { type: "string", default: "resnet8" },
    seeds: { type: "string", default: "3" },
    steps: { type: "string", default: "938" },
    rates: { type: "string", default: "0.003,0.01,0.03" },
    methods: { type: "string" },
    shard: { type: "string", default: "1/1" },
    results: { type: "string", default: "reproduce/bench/results/accuracy" },
    out: { type: "string", default: "out" },
    table: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const NETWORK = networkOf(options.network);
const STEPS = Number(options.steps);
const RATES = options.rates.split(",").map(Number);
const SEEDS = Array.from({ length: Number(options.seeds) }, (_, seed) => seed);
const [SHARD, SHARDS] = options.shard.split("/").map(Number) as [number, number];
const BITS = 2;

async function main(): Promise<void> {
  if (options.help) return void process.stdout.write(HELP);
  const chosen = options.methods?.split(",");
  const methods = METHODS.filter(({ name }) => !chosen || chosen.includes(name));
  if (!options.table) {
    // Started first, so that the networks are built where they are trained.
    await engine();
    // First every family's rate, then its other members and the other seeds at that rate.
    const families = [...new Set([FLOATING, ...methods.map(({ family }) => family)])];
    const first = families.flatMap((family) => RATES.map((rate) => ({ family, rate })));
    for (const { family, rate } of mine(first)) {
      const method = METHODS.find((candidate) => candidate.family === family);
      await cell(method?.name ?? FLOATING, rate, SEEDS[0]!, method);
    }
    await allTuned(families);
    const rest = SEEDS.flatMap((seed) => [undefined, ...methods].map((method) => ({ seed, method })));
    for (const { seed, method } of mine(rest)) {
      await cell(method?.name ?? FLOATING, await tunedRate(method?.family ?? FLOATING), seed, method);
    }
  }
  await printTable(methods);
}

/** This process's part of a list of work. */
const mine = <T>(work: readonly T[]): T[] => work.filter((_, index) => index % SHARDS === SHARD - 1);

/** The rate with the least validation loss of the family's first method, with the first seed. */
async function tunedRate(family: string): Promise<number> {
  const name = METHODS.find((method) => method.family === family)?.name ?? FLOATING;
  const found = await Promise.all(RATES.map((rate) => readCell(name, rate, SEEDS[0]!)));
  const losses = found.map((entry) => entry?.validation.loss ?? Number.POSITIVE_INFINITY);
  return RATES[losses.indexOf(Math.min(...losses))]!;
}

/** Waits until the other processes have tried every rate of every family. */
async function allTuned(families: readonly string[]): Promise<void> {
  for (const family of families) {
    const name = METHODS.find((method) => method.family === family)?.name ?? FLOATING;
    for (const rate of RATES) {
      while (!(await readCell(name, rate, SEEDS[0]!)))
        await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

async function cell(name: string, rate: number, seed: number, method: Method | undefined): Promise<Cell> {
  const known = await readCell(name, rate, seed);
  if (known) return known;
  const data = await datasets.fashionMnist();
  const model = await floatingNetwork(NETWORK, data, { seed, directory: options.out });
  const begun = performance.now();
  const measured = method
    ? await method.run(model, { data, seed, bits: BITS, steps: STEPS, learningRate: rate })
    : await floatingCell(model, { data, seed, bits: BITS, steps: STEPS, learningRate: rate });
  const result: Cell = { method: name, rate, seed, ...measured, seconds: (performance.now() - begun) / 1000 };
  const file = cellFile(name, rate, seed);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(`${file}.part`, `${JSON.stringify(result)}\n`);
  await rename(`${file}.part`, file);
  const { validation, test } = result;
  console.log(
    `${name}, rate ${rate}, seed ${seed}: validation ${percent(validation.accuracy)} (loss ${validation.loss.toFixed(4)}), test ${percent(test.accuracy)}, ${result.seconds.toFixed(0)} s`,
  );
  return result;
}

/** Floating point trained on for as many steps as the others. */
async function floatingCell(
  model: tf.LayersModel,
  { data, seed, steps, learningRate }: Protocol,
): Promise<Measured> {
  await pretrain(model, data, { seed, steps, learningRate });
  return {
    validation: await score(model, data.validation),
    test: await score(model, data.test),
    bytes: model.countParams() * 4,
    averageBits: { weights: 32, activations: 32 },
  };
}

async function printTable(methods: readonly Method[]): Promise<void> {
  const rows = [{ name: FLOATING, family: FLOATING }, ...methods];
  console.log("| method | rate | W / A bits | KB | test accuracy, % | by seed | validation loss |");
  console.log("|---|---|---|---|---|---|---|");
  for (const { name, family } of rows) {
    const rate = await tunedRate(family);
    const found = (await Promise.all(SEEDS.map((seed) => readCell(name, rate, seed)))).filter(
      (entry) => entry !== undefined,
    );
    if (found.length === 0) continue;
    const accuracies = found.map(({ test }) => 100 * test.accuracy);
    const loss = mean(found.map(({ validation }) => validation.loss));
    const won = found.some((entry) => entry.chosen)
      ? ` (${found.map((entry) => entry.chosen).join("; ")})`
      : "";
    const { averageBits: bits, bytes } = found[0]!;
    const seeds = accuracies.map((value) => value.toFixed(2)).join(", ");
    console.log(
      `| ${name}${won} | ${rate} | ${bits.weights.toFixed(2)} / ${bits.activations.toFixed(2)} | ${(bytes / 1000).toFixed(1)} | ${mean(accuracies).toFixed(2)} ± ${deviation(accuracies).toFixed(2)} | ${seeds} | ${loss.toFixed(4)} |`,
    );
  }
}

const cellFile = (name: string, rate: number, seed: number): string =>
  join(
    options.results,
    `${NETWORK}-${STEPS}`,
    `${name.replaceAll(/[^a-zA-Z0-9]+/g, "-")}-${rate}-${seed}.json`,
  );

const readCell = async (name: string, rate: number, seed: number): Promise<Cell | undefined> => {
  const text = await readFile(cellFile(name, rate, seed), "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Cell);
};

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;

/** Standard deviation over seeds, N - 1. */
function deviation(values: readonly number[]): number {
  const centre = mean(values);
  return values.length < 2
    ? 0
    : Math.sqrt(values.reduce((sum, v) => sum + (v - centre) ** 2, 0) / (values.length - 1));
}

await main();
