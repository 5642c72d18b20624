import { type Column, table } from "../../sdk/table.js";
import {
  type Experiment,
  type Extent,
  FLOATING,
  FLOATING_BITS,
  type Found,
  type Outcome,
  type TimedStage,
} from "../experiment.js";
import { NAMES } from "../methods/names.js";
import { deviation, METHOD, mean, SEEDS, shown } from "./columns.js";
import { ratiosFigure } from "./costFigure.js";
import {
  type Group,
  groupOf,
  inWords,
  missingNote,
  type OverSeeds,
  overSeeds,
  type Place,
  requestsOf,
} from "./group.js";

/** Baselines that keep to what is given, those that allot bits, and ours. */
const COMPARED = [
  ...[NAMES.dorefa, NAMES.pact, NAMES.lqNets, NAMES.lsq, NAMES.apot, NAMES.n2uq],
  ...[NAMES.edmips, NAMES.fracbits, NAMES.hawq, NAMES.control],
  ...[NAMES.search, NAMES.learn, NAMES.chain],
];
const OURS: readonly string[] = [NAMES.search, NAMES.learn, NAMES.chain];

const placesOf = ({ bits }: Extent, network: string): Place[] => [
  { network, method: FLOATING, bits: FLOATING_BITS },
  ...COMPARED.map((method) => ({ network, method, bits: bits[0]! })),
];

/** Cost of search: seconds and memory of every method for the same number of steps, against floating point and baselines. */
export const cost: Experiment = {
  number: 4,
  name: "cost",
  title: ({ title }) => `Table 4. Cost of search: ${title}`,
  requests: (scale) => scale.networks.flatMap((network) => requestsOf(scale, placesOf(scale, network))),
  render(scale, found) {
    const networks = scale.networks.map((network) => ({
      network,
      groups: placesOf(scale, network).map((place) => groupOf(scale, found, place)),
    }));
    return {
      tables: networks.flatMap(({ network, groups }) => [
        {
          caption: `${network}, from the network in floating point to the quantized one`,
          table: table(groups, columns(groups)),
        },
        ...stagesOf(scale, network, found),
      ]),
      notes: [
        ...networks.flatMap(({ network, groups }) => notesOf(network, groups)),
        "Time is that of all cores together, or that of the clock on the wall where a GPU computes; it holds what is computed once (calibration, tracing, evaluation). Stage by stage it is that of the clock, with what else the machine did. Ratios are of the same seed. What was stopped and went on is not among them.",
        memoryNote(networks.flatMap(({ groups }) => groups)),
        ...missingNote(cost.requests(scale), found),
      ],
      figures: networks.flatMap(({ network, groups }) =>
        ratiosFigure(
          network,
          groups.map((group) => ({
            name: group.method,
            ours: OURS.includes(group.method),
            seconds: ratio(group, groups[0]!, seconds),
            memory: ratio(group, groups[0]!, peak),
          })),
        ),
      ),
    };
  },
};

const seconds = ({ processorSeconds, seconds, resumed }: Outcome): number | undefined =>
  resumed ? undefined : (processorSeconds ?? seconds);
const peak = ({ peakMegabytes }: Outcome): number | undefined => peakMegabytes;

/** A number of a group's outcomes relative to that of the reference with the same seed. */
export function ratio(
  group: Group,
  reference: Group,
  value: (outcome: Outcome) => number | undefined,
): OverSeeds | undefined {
  return overSeeds(group, (outcome) => {
    const other = reference.outcomes.find(({ seed }) => seed === outcome.seed);
    const [own, base] = [value(outcome), other && value(other)];
    return own !== undefined && base ? own / base : undefined;
  });
}

function columns(groups: readonly Group[]): Column<Group>[] {
  const [floating, lsq] = [FLOATING, NAMES.lsq].map(
    (method) => groups.find((group) => group.method === method)!,
  ) as [Group, Group];
  const relative = (title: string, base: Group, value: typeof peak): Column<Group> => ({
    ...{ title, digits: 2 },
    value: (group) => shown(ratio(group, base, value)?.mean),
  });
  return [
    METHOD,
    mean({ title: "steps", digits: 0 }, ({ steps }) => steps),
    mean({ title: "time", unit: "s", digits: 1 }, seconds),
    deviation({ unit: "s", digits: 1 }, seconds),
    relative("time / floating point", floating, seconds),
    relative("time / LSQ", lsq, seconds),
    mean({ title: "peak memory", unit: "MB", digits: 0 }, peak),
    relative("memory / floating point", floating, peak),
    relative("memory / LSQ", lsq, peak),
    SEEDS,
  ];
}

/** What the stages of each method take; nothing where no outcome tells. */
function stagesOf(scale: Extent, network: string, found: Found) {
  const rows = placesOf(scale, network).flatMap((place) => {
    const group = groupOf(scale, found, place);
    const names = [...new Set(group.outcomes.flatMap(({ stages = [] }) => stages.map(({ name }) => name)))];
    return names.map((name) => ({ group, name }));
  });
  if (rows.length === 0) return [];
  const ofStage = (
    shape: Omit<Column<(typeof rows)[number]>, "value">,
    value: (stage: TimedStage) => number | undefined,
  ): Column<(typeof rows)[number]> => ({
    ...shape,
    value: ({ group, name }) =>
      mean(shape, ({ stages = [], resumed }) =>
        resumed ? undefined : stages.filter((own) => own.name === name).map(value)[0],
      ).value(group),
  });
  return [
    {
      caption: `${network}, stage by stage`,
      table: table(rows, [
        { title: "method", value: ({ group }) => group.method },
        { title: "stage", value: ({ name }) => name },
        ofStage({ title: "time", unit: "s", digits: 1 }, (own) => own.seconds),
        ofStage({ title: "step", unit: "ms", digits: 1 }, (own) => own.stepMilliseconds),
      ]),
    },
  ];
}

function notesOf(network: string, groups: readonly Group[]): string[] {
  const floating = groups[0]!;
  const lsq = groups.find(({ method }) => method === NAMES.lsq)!;
  const times = (over: OverSeeds): string => inWords(over, "", 2);
  const own = groups
    .filter(({ method }) => OURS.includes(method))
    .flatMap((group) => {
      const [time, memory, lsqTime] = [
        ratio(group, floating, seconds),
        ratio(group, floating, peak),
        ratio(group, lsq, seconds),
      ];
      if (!time) return [];
      const besides = [
        ...(memory ? [`${times(memory)} times its memory`] : []),
        ...(lsqTime ? [`${times(lsqTime)} times the time of ${lsq.method}`] : []),
      ];
      return [
        `${network}: ${group.method} takes ${times(time)} times as long as training in floating point for the same number of steps${besides.length > 0 ? `, ${besides.join(" and ")}` : ""}.`,
      ];
    });
  return [...own, ...quickestNote(network, groups, floating)];
}

function memoryNote(groups: readonly Group[]): string {
  const known = groups.some(({ outcomes }) => outcomes.some((outcome) => peak(outcome) !== undefined));
  return known
    ? "Memory is the most that the process had, data and floating-point network included."
    : "Memory is not shown: where one process trains several networks, its peak is of all of them.";
}

/** Which search takes least time, ours or not. */
function quickestNote(network: string, groups: readonly Group[], floating: Group): string[] {
  const searches: readonly string[] = [...OURS, NAMES.edmips, NAMES.fracbits, NAMES.hawq];
  const [first, second] = groups
    .filter(({ method }) => searches.includes(method))
    .flatMap((group) => {
      const time = ratio(group, floating, seconds);
      return time ? [{ method: group.method, time }] : [];
    })
    .toSorted((a, b) => a.time.mean - b.time.mean);
  if (!first || !second) return [];
  const whose = OURS.includes(first.method) ? "" : ", which is not ours,";
  return [
    `${network}: of the methods that search, ${first.method}${whose} takes least time (${inWords(first.time, "", 2)} of floating point); next is ${second.method} (${inWords(second.time, "", 2)}).`,
  ];
}
