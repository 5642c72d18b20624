import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { dataOf, type Places } from "./data.js";
import type { Experiment, Request } from "./experiment.js";
import { Stopped } from "./jobs.js";
import { networkOf } from "./models/floating.js";
import { Outcomes } from "./outcomes.js";
import { extentOf, SCALES, type Scale, type ScaleName } from "./scales.js";
import { EXPERIMENTS } from "./tables/index.js";
import type { Setting } from "./train.js";
import { trainAll } from "./trainAll.js";
import { write } from "./write.js";

const HELP = `Trains what the tables of the paper ask for, and writes them.

  npm run reproduce -- TABLE|all [--scale smoke|small|full]

  TABLE            ${EXPERIMENTS.map(({ number, name }) => `${number} or ${name}`).join(", ")}; several may be given
  --scale NAME     ${Object.values(SCALES)
    .map(({ name, about }) => `${name}: ${about}`)
    .join("\n                   ")}
  --jobs N         networks trained at once, each by its part of the cores (default: one for every core, at most 4)
  --networks A,B   of the scale's networks only these
  --methods "A;B"  of the methods, "floating point" among them, only these
  --seeds N        the first N seeds of the scale
  --bits A,B       average bits to compare at
  --rates A,B      learning rates to choose from
  --epochs X       of every method; --start-epochs X of the networks in floating point; --batch N images
  --imagenet DIR   ImageNet, as folders or TFRecords; --image-size N pixels (224)
  --cifar DIR      the binary version of CIFAR-10 or CIFAR-100
  --results DIR    where outcomes and tables are written (reproduce/results/SCALE)
  --out DIR        where checkpoints and networks in floating point lie meanwhile (out/reproduce/SCALE)
  --table-only     train nothing, write the tables of what is there

What was trained is not trained again, and what was stopped goes on: run the same again.
`;

const OPTIONS = {
  scale: { type: "string", default: "small" },
  jobs: { type: "string" },
  networks: { type: "string" },
  methods: { type: "string" },
  seeds: { type: "string" },
  bits: { type: "string" },
  rates: { type: "string" },
  epochs: { type: "string" },
  "start-epochs": { type: "string" },
  batch: { type: "string" },
  imagenet: { type: "string" },
  "image-size": { type: "string", default: "224" },
  cifar: { type: "string" },
  results: { type: "string" },
  out: { type: "string" },
  "table-only": { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const { values: given, positionals } = parsed();

/** What the command line says; a word on it that is none of ours ends the process. */
function parsed() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    console.error(`${(error as Error).message}\n(npm run reproduce -- --help tells more)`);
    process.exit(1);
  }
}

async function main(): Promise<void> {
  if (given.help || positionals.length === 0) return void process.stdout.write(HELP);
  const experiments = positionals.flatMap(experimentsOf);
  const scale = scaleOf();
  const extent = extentOf(scale);
  const results = given.results ?? join("reproduce", "results", scale.name);
  const setting: Setting = {
    places: placesOf(),
    directory: given.out ?? join("out", "reproduce", scale.name),
    workloads: scale.workloads,
  };
  const outcomes = new Outcomes(join(results, "outcomes.jsonl"), scale);
  if (!given["table-only"]) {
    for (const { data } of scale.workloads) await dataOf(data, setting.places);
    const requests = experiments.flatMap((experiment) => experiment.requests(extent)).filter(isAsked);
    const jobs = given.jobs ? positive("jobs") : Math.min(4, availableParallelism());
    const failed = await trainAll(scale, setting, outcomes, requests, jobs);
    if (failed.length > 0) {
      process.exitCode = 1;
      console.error(`${failed.length} failed; they are tried again by the next run:\n${failed.join("\n")}`);
    }
  }
  for (const experiment of experiments) console.log(await write(experiment, extent, outcomes, results));
}

function experimentsOf(name: string): readonly Experiment[] {
  if (name === "all") return EXPERIMENTS;
  const found = EXPERIMENTS.filter((own) => own.name === name || String(own.number) === name);
  if (found.length > 0) return found;
  const names = EXPERIMENTS.map((own) => `${own.number} (${own.name})`).join(", ");
  throw new Error(`Expected a table (${names}) or "all", received "${name}".`);
}

const isAsked = ({ method }: Request): boolean => !given.methods || given.methods.split(";").includes(method);

/** The scale by its name, with what the options change. */
function scaleOf(): Scale {
  if (!Object.hasOwn(SCALES, given.scale)) {
    throw new Error(`Expected --scale ${Object.keys(SCALES).join(", ")}, received "${given.scale}".`);
  }
  const scale: Scale = SCALES[given.scale as ScaleName];
  const networks = given.networks?.split(",").map(networkOf);
  const workloads = scale.workloads
    .filter(({ network }) => !networks || networks.includes(network))
    .map((workload) => ({
      ...workload,
      ...(given.epochs && { epochs: positive("epochs") }),
      ...(given["start-epochs"] && { startEpochs: positive("start-epochs") }),
      ...(given.batch && { batchSize: positive("batch") }),
    }));
  if (workloads.length === 0) {
    const own = scale.workloads.map(({ network }) => network).join(", ");
    throw new Error(`Expected networks of the scale (${own}), received "${given.networks}".`);
  }
  return {
    ...{ ...scale, workloads },
    ...(given.seeds && fewerSeeds(scale, positive("seeds"))),
    ...(given.bits && { bits: numbers("bits") }),
    ...(given.rates && { rates: numbers("rates") }),
  };
}

const fewerSeeds = ({ seeds, claimSeeds }: Scale, count: number) => ({
  seeds: seeds.slice(0, count),
  ...(claimSeeds && { claimSeeds: claimSeeds.slice(0, count) }),
});

const placesOf = (): Places => ({
  imageSize: positive("image-size"),
  ...(given.imagenet && { imagenet: given.imagenet }),
  ...(given.cifar && { cifar: given.cifar }),
});

function positive(option: "epochs" | "start-epochs" | "batch" | "seeds" | "image-size" | "jobs"): number {
  const value = Number(given[option]);
  if (value > 0) return value;
  throw new Error(`Expected a positive number at --${option}, received "${given[option]}".`);
}

function numbers(option: "bits" | "rates"): number[] {
  const values = given[option]!.split(",").map(Number);
  if (values.every((value) => value > 0)) return values;
  throw new Error(`Expected positive numbers at --${option}, received "${given[option]}".`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error && !process.env.AUTOQNN_DEBUG ? error.message : error);
  process.exitCode = error instanceof Stopped ? error.exitCode : 1;
});
