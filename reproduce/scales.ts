import type { RecipeOptions } from "../sdk/options.js";
import type { DataName } from "./data.js";
import type { Extent } from "./experiment.js";
import type { NetworkName } from "./models/floating.js";

/** How a network is trained: in floating point first, then by every method for the same time. */
export interface Workload {
  readonly network: NetworkName;
  readonly data: DataName;
  readonly batchSize: number;
  /** Of the start in floating point, which all methods share. */
  readonly startEpochs: number;
  /** Learning rate of the start; that of `pretrain` where it is absent. */
  readonly startRate?: number;
  /** Of every method, searches included. */
  readonly epochs: number;
  readonly recipe?: RecipeOptions;
  /** Of each split at most so many images, for a scale that only has to run. */
  readonly images?: number;
}

/** How much is trained for the tables. */
export interface Scale extends Omit<Extent, "title" | "networks"> {
  readonly about: string;
  readonly workloads: readonly Workload[];
  /** Learning rates of which each family's best is taken, by validation loss of its first method at the same bits, averaged over the seeds. */
  readonly rates: readonly number[];
  /** Whether each network is trained by a process of its own, so that its memory is its own. */
  readonly apart: boolean;
}

/** Images are 28x28 and grey: fewer epochs and narrower networks than papers have, on what every checkout holds. */
const fashion = (network: NetworkName, epochs: number, startEpochs: number, batchSize = 128): Workload => ({
  ...{ network, data: "fashion-mnist", batchSize, startEpochs, epochs },
});

const SGD = { optimizer: { name: "sgd", momentum: 0.9 }, weightDecay: 1e-4 } as const;

export const SCALES = {
  smoke: {
    name: "smoke",
    about: "nothing is trained long enough to mean anything; it shows that every path runs",
    workloads: [{ ...fashion("resnet8", 0.4, 0.8, 16), images: 400 }],
    ...{ seeds: [0], bits: [2], rates: [0.01], apart: false },
  },
  small: {
    name: "small",
    about: "small networks on grey images of clothing, a short schedule; not the size of the paper",
    workloads: [fashion("resnet14", 2, 5), fashion("resnet8", 2, 5)],
    ...{ seeds: [0, 1, 2], bits: [2, 3, 4], rates: [0.003, 0.01, 0.03], apart: true },
    ...{ ablated: ["resnet14"], claimSeeds: [0, 1, 2, 3, 4] },
  },
  full: {
    name: "full",
    about: "the networks and the data of the paper",
    workloads: [
      ...(["alexnet", "resnet18"] as const).map((network) => ({
        ...{ network, data: "imagenet" as const, batchSize: 256, startEpochs: 90, epochs: 90 },
        ...{ startRate: 0.1, recipe: SGD },
      })),
      {
        ...{ network: "resnet20", data: "cifar", batchSize: 128, startEpochs: 200, epochs: 200 },
        ...{ startRate: 0.1, recipe: SGD },
      },
    ],
    ...{ seeds: [0, 1, 2], bits: [2, 3, 4], rates: [0.01], apart: true },
    ablated: ["resnet18"],
  },
} as const satisfies Record<string, Scale>;

export type ScaleName = keyof typeof SCALES;

/** What the tables need to know of a scale. */
export function extentOf(scale: Scale): Extent {
  const { name, seeds, claimSeeds, bits, ablated, workloads, about } = scale;
  const trained = workloads.map(({ network, data, epochs }) => `${network} on ${data}, ${epochs} epochs`);
  return {
    ...{ name, seeds, bits, ...(claimSeeds && { claimSeeds }) },
    title: `${trained.join("; ")} (scale "${name}": ${about})`,
    networks: workloads.map(({ network }) => network),
    ...(ablated && {
      ablated: ablated.filter((network) => workloads.some((own) => own.network === network)),
    }),
  };
}
