import { readFileSync } from "node:fs";
import { type Table, table } from "../sdk/table.js";
import { type Experiment, type Extent, FLOATING, type Request } from "./experiment.js";
import { SEARCHING } from "./methods/ablation.js";
import { CHAIN_SEARCHING, CHAIN_TRIAL } from "./methods/chain.js";
import { NAMES } from "./methods/names.js";
import { LEARNING, TRIAL } from "./methods/precision.js";

/** Median milliseconds of a step, by method; what `npm run bench -- --device gpu` kept of one NVIDIA H100, without XLA. */
interface Steps {
  readonly floating: number;
  /** With a quantizer of one scheme at each node. */
  readonly oneScheme: number;
  /** With mixtures of eight schemes, and of eight bitwidths. */
  readonly search: number;
  readonly learning: number;
}

const MEASURED = JSON.parse(
  readFileSync(new URL("bench/results/speed/gpu.json", import.meta.url), "utf8"),
) as { networks: Record<string, Record<string, { median: number }>> };

function stepsOf(network: string): Steps {
  const median = (method: string): number => MEASURED.networks[network]![method]!.median;
  return {
    ...{ floating: median("fp32"), oneScheme: median("one-scheme") },
    ...{ search: median("qss"), learning: median("qpl") },
  };
}

/** Two sizes of image: the network that was timed, and multiply-accumulates of one image, by which times are carried over. */
const SIZES = [
  {
    ...{ network: "resnet20", batchSize: 128, steps: stepsOf("resnet20") },
    operations: { resnet20: 40_813_184, resnet56: 125_747_840, vggSmall: 607_600_640 },
  },
  {
    ...{ network: "resnet18", batchSize: 128, steps: stepsOf("resnet18") },
    operations: { resnet18: 1_814_073_344, alexnet: 714_188_480, mobileNetV2: 300_774_272 },
  },
].map(({ operations, ...size }) => ({ ...size, operations: new Map(Object.entries(operations)) }));

const NONE = { searching: 0, learning: 0, dropped: 0 } as const;

/** Parts of the steps that search and that learn, and further steps of trials that were not kept, in parts of the same. */
const SHARES: Readonly<Record<string, Readonly<Record<keyof typeof NONE, number>>>> = {
  [NAMES.learn]: { ...NONE, learning: LEARNING, dropped: 2 * TRIAL },
  [NAMES.memory]: { ...NONE, learning: LEARNING, dropped: 2 * TRIAL },
  [NAMES.chain]: { searching: CHAIN_SEARCHING, learning: LEARNING, dropped: CHAIN_TRIAL + 2 * TRIAL },
  [NAMES.edmips]: { ...NONE, searching: 0.2 },
  [NAMES.fracbits]: { ...NONE, learning: 0.2 },
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
 * Milliseconds of a step, as if time went with multiply-accumulates.
 *
 * @throws Error for a network of which nothing is known
 */
export function stepOf(network: string, batchSize: number, kind: keyof Steps = "floating"): number {
  for (const { network: timed, batchSize: images, steps, operations } of SIZES) {
    const own = operations.get(network);
    if (own) return (steps[kind] * own * batchSize) / (operations.get(timed)! * images);
  }
  const known = SIZES.flatMap(({ operations }) => [...operations.keys()]);
  throw new Error(`Expected a network among ${known.join(", ")}, received "${network}".`);
}

const HOUR = 3_600_000;

/** Hours of one GPU for one trained network. */
export function hoursOf({ network, method }: Request, { steps, batchSize }: Training): number {
  const hours = (kind: keyof Steps): number => (steps * stepOf(network, batchSize, kind)) / HOUR;
  if (method === FLOATING) return hours("floating");
  const search = method.startsWith(NAMES.search) ? { ...NONE, searching: SEARCHING } : NONE;
  const { searching, learning, dropped } = SHARES[method] ?? search;
  return (
    searching * hours("search") +
    learning * hours("learning") +
    (1 - searching - learning + dropped) * hours("oneScheme")
  );
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
    return (scale.seeds.length * startSteps * stepOf(network, batchSize)) / HOUR;
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
