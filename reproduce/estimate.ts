import { type Table, table } from "../sdk/table.js";
import { type Experiment, type Extent, FLOATING, type Request } from "./experiment.js";
import { SEARCHING } from "./methods/ablation.js";
import { CHAIN_SEARCHING, CHAIN_TRIAL } from "./methods/chain.js";
import { NAMES } from "./methods/names.js";
import { LEARNING, TRIAL } from "./methods/precision.js";

/**
 * Steps as they were measured without XLA: of ResNet20 on 32x32 on one NVIDIA H200 (bench/results/speed/gpu.json), of ResNet18
 * on 224x224 in one run on an H100 that other processes used at the same time. Nothing was measured that is not here.
 */
export const MEASURED = {
  small: { network: "resnet20", batchSize: 128, floating: 16.2, oneScheme: 84.5, search: 87.3 },
  large: { network: "resnet18", batchSize: 64, floating: 21.1 },
} as const;

/** Multiply-accumulates of one image, by which times are carried over from the network of the same size of image. */
const OPERATIONS = {
  small: { resnet20: 40_813_184, resnet56: 125_747_840, vggSmall: 607_600_640 },
  large: { resnet18: 1_814_073_344, alexnet: 714_188_480, mobileNetV2: 300_774_272 },
} as const;

/** What a step costs beside one in floating point: with a quantizer of one scheme at each node, and with all candidates. */
const FACTORS = {
  oneScheme: MEASURED.small.oneScheme / MEASURED.small.floating,
  search: MEASURED.small.search / MEASURED.small.floating,
} as const;

const NONE = { searching: 0, dropped: 0 } as const;

/** Parts of the steps that search, and further steps of trials that were not kept, in parts of the same. */
const SHARES: Readonly<Record<string, { readonly searching: number; readonly dropped: number }>> = {
  [NAMES.learn]: { searching: LEARNING, dropped: 2 * TRIAL },
  [NAMES.memory]: { searching: LEARNING, dropped: 2 * TRIAL },
  [NAMES.chain]: { searching: CHAIN_SEARCHING + LEARNING, dropped: CHAIN_TRIAL + 2 * TRIAL },
  [NAMES.edmips]: { searching: 0.2, dropped: 0 },
  [NAMES.fracbits]: { searching: 0.2, dropped: 0 },
};

/** How long a network of a scale trains. */
export interface Training {
  /** Of every method. */
  readonly steps: number;
  /** In floating point, before all methods. */
  readonly startSteps: number;
  readonly batchSize: number;
}

/**
 * Milliseconds of a step in floating point, as if time went with multiply-accumulates.
 *
 * @throws Error for a network of which nothing is known
 */
export function floatingStep(network: string, batchSize: number): number {
  for (const size of ["small", "large"] as const) {
    const operations: Readonly<Record<string, number>> = OPERATIONS[size];
    const { network: known, floating, batchSize: measured } = MEASURED[size];
    const own = operations[network];
    if (own) return (floating * own * batchSize) / (operations[known]! * measured);
  }
  const known = Object.values(OPERATIONS).flatMap((row) => Object.keys(row));
  throw new Error(`Expected a network among ${known.join(", ")}, received "${network}".`);
}

const HOUR = 3_600_000;

/** Hours of one GPU for one trained network. */
export function hoursOf({ network, method }: Request, { steps, batchSize }: Training): number {
  const hours = (steps * floatingStep(network, batchSize)) / HOUR;
  if (method === FLOATING) return hours;
  const search = method.startsWith(NAMES.search) ? { searching: SEARCHING, dropped: 0 } : NONE;
  const { searching, dropped } = SHARES[method] ?? search;
  return hours * (searching * FACTORS.search + (1 - searching + dropped) * FACTORS.oneScheme);
}

/**
 * Hours of one GPU and their price: of the networks that all methods start from, of every experiment by itself, and of all
 * together, which share networks. Learning rates that are tried besides are not counted.
 *
 * @param trainingOf how long a network of the scale trains
 * @param price of one GPU for an hour, in dollars
 */
export function estimate(
  scale: Extent,
  experiments: readonly Experiment[],
  trainingOf: (network: string) => Training,
  price: number,
): Table {
  const starts = scale.networks.map((network) => {
    const { startSteps, batchSize } = trainingOf(network);
    return (scale.seeds.length * startSteps * floatingStep(network, batchSize)) / HOUR;
  });
  const tables = [
    ...experiments.map((experiment) => ({
      name: `table ${experiment.number}, ${experiment.name}`,
      requests: experiment.requests(scale),
    })),
    { name: "all tables", requests: experiments.flatMap((experiment) => experiment.requests(scale)) },
  ];
  const rows = [
    {
      ...{ name: "floating-point starts", networks: scale.networks.length * scale.seeds.length },
      hours: starts.reduce((sum, hours) => sum + hours, 0),
    },
    ...tables.map(({ name, requests }) => {
      const different = new Map(requests.map((request) => [JSON.stringify(request), request]));
      const hours = [...different.values()].map((request) => hoursOf(request, trainingOf(request.network)));
      return { name, networks: hours.length, hours: hours.reduce((sum, value) => sum + value, 0) };
    }),
  ];
  return table(rows, [
    { title: "what", value: ({ name }) => name },
    { title: "networks", value: ({ networks }) => networks },
    { title: "time", unit: "h", digits: 0, value: ({ hours }) => hours },
    { title: "price", unit: "$", digits: 0, value: ({ hours }) => hours * price },
  ]);
}
