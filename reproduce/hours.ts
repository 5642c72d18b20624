import { parseArgs } from "node:util";
import { asMarkdown } from "../sdk/table.js";
import { estimate, type Training } from "./estimate.js";
import type { Extent } from "./experiment.js";
import { extentOf, SCALES } from "./scales.js";
import { EXPERIMENTS } from "./tables/index.js";

const HELP = `Prints what the tables at full size would take on one GPU, from step times that were measured.

  npx tsx reproduce/hours.ts [--price 3] [--seeds 3] [--imagenet-epochs N] [--cifar-epochs N]
`;

const { values } = parseArgs({
  options: {
    price: { type: "string", default: "3" },
    seeds: { type: "string", default: "3" },
    "imagenet-epochs": { type: "string" },
    "cifar-epochs": { type: "string" },
    help: { type: "boolean", default: false },
  },
});

/** What the data sets of the full size are called, and how many images are trained on. */
const SETS = {
  imagenet: { name: "ImageNet", images: 1_153_051, epochs: values["imagenet-epochs"] },
  cifar: { name: "CIFAR-10", images: 45_000, epochs: values["cifar-epochs"] },
} as const;

function print(): void {
  if (values.help) return void process.stdout.write(HELP);
  for (const [data, { name, images, epochs }] of Object.entries(SETS)) {
    const workloads = SCALES.full.workloads.filter((workload) => workload.data === data);
    const trainings = new Map(
      workloads.map(({ network, batchSize, ...own }): [string, Training] => {
        const steps = (given: number) => Math.ceil(images / batchSize) * Number(epochs ?? given);
        return [network, { steps: steps(own.epochs), startSteps: steps(own.startEpochs), batchSize }];
      }),
    );
    const seeds = Array.from({ length: Number(values.seeds) }, (_, seed) => seed);
    const scale: Extent = { ...extentOf({ ...SCALES.full, workloads }), seeds };
    console.log(`${name}: ${scale.title}\n`);
    const table = estimate(scale, EXPERIMENTS, (network) => trainings.get(network)!, Number(values.price));
    console.log(`${asMarkdown(table)}\n`);
  }
}

print();
