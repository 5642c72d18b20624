import { parseArgs } from "node:util";
import { asMarkdown } from "../sdk/table.js";
import { estimate, type Training } from "./estimate.js";
import type { Extent } from "./experiment.js";
import { chosen } from "./tables/chosen.js";
import { cost } from "./tables/cost.js";
import { precision } from "./tables/precision.js";
import { schemes } from "./tables/schemes.js";

const HELP = `Prints what tables 2 to 5 at full size would take on one GPU, from step times that were measured.

  npx tsx reproduce/hours.ts [--price 3] [--seeds 3] [--imagenet-epochs 90] [--cifar-epochs 200]
`;

const { values } = parseArgs({
  options: {
    price: { type: "string", default: "3" },
    seeds: { type: "string", default: "3" },
    "imagenet-epochs": { type: "string", default: "90" },
    "cifar-epochs": { type: "string", default: "200" },
    help: { type: "boolean", default: false },
  },
});

/** Data sets of the full size: training images, batch, networks. */
const SETS = [
  { name: "ImageNet", images: 1_281_167, batchSize: 256, networks: ["alexnet", "resnet18"] },
  { name: "CIFAR-10", images: 45_000, batchSize: 128, networks: ["resnet20"] },
] as const;

const EPOCHS = { ImageNet: Number(values["imagenet-epochs"]), "CIFAR-10": Number(values["cifar-epochs"]) };

function print(): void {
  if (values.help) return void process.stdout.write(HELP);
  for (const { name, images, batchSize, networks } of SETS) {
    const steps = Math.ceil(images / batchSize) * EPOCHS[name];
    const training: Training = { steps, startSteps: steps, batchSize };
    const seeds = Array.from({ length: Number(values.seeds) }, (_, seed) => seed);
    const scale: Extent = { name: "full", title: name, networks, seeds, bits: [2, 3, 4] };
    const experiments = [schemes, precision, cost, chosen];
    console.log(`${name}: ${networks.join(", ")}; ${EPOCHS[name]} epochs, batches of ${batchSize}\n`);
    console.log(`${asMarkdown(estimate(scale, experiments, () => training, Number(values.price)))}\n`);
  }
}

print();
