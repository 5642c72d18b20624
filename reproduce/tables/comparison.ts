import { table } from "../../sdk/table.js";
import { type Experiment, type Extent, FLOATING, FLOATING_BITS } from "../experiment.js";
import { SCALING, SINGLE } from "../methods/index.js";
import { NAMES, single } from "../methods/names.js";
import { PUBLISHED, type Published } from "../published.js";
import { ACCURACY, BITS, METHOD, SIZE, shown } from "./columns.js";
import { differencesFigure } from "./differencesFigure.js";
import { accuracy, type Group, groupOf, missingNote, overSeeds, type Place, requestsOf } from "./group.js";
import { differenceColumns, leaderNote, paired } from "./paired.js";

/** The methods of the literature, and the single schemes: what ours is held against. The search-free control is a part of ours. */
const LITERATURE = [
  ...[NAMES.dorefa, NAMES.pact, NAMES.lqNets, NAMES.lsq, NAMES.apot, NAMES.n2uq],
  ...[NAMES.edmips, NAMES.fracbits, NAMES.hawq],
];
const OURS: readonly string[] = [NAMES.chain, NAMES.learn, NAMES.search, NAMES.control];

/** Schemes of one bitwidth are compared at the least bits only, under which all of them fall. */
const placesAt = ({ bits }: Extent, network: string, budget: number): Place[] =>
  [...OURS, ...LITERATURE, ...(budget === bits[0] ? SINGLE : SCALING).map(single)].map((method) => ({
    ...{ network, method, bits: budget },
  }));

const floatingOf = (network: string): Place => ({ network, method: FLOATING, bits: FLOATING_BITS });

/** Every method at the same average bits, from the same networks for as many steps; and what others report. */
export const comparison: Experiment = {
  number: 1,
  name: "comparison",
  title: ({ title }) => `Table 1. Methods at equal bits: ${title}`,
  requests: (scale) =>
    scale.networks.flatMap((network) =>
      requestsOf(scale, [
        floatingOf(network),
        ...scale.bits.flatMap((bits) => placesAt(scale, network, bits)),
      ]),
    ),
  render(scale, found) {
    const blocks = scale.networks.flatMap((network) =>
      scale.bits.map((bits) => ({
        ...{ network, bits },
        floating: groupOf(scale, found, floatingOf(network)),
        groups: placesAt(scale, network, bits)
          .map((place) => groupOf(scale, found, place))
          .toSorted((a, b) => meanOf(b) - meanOf(a)),
      })),
    );
    return {
      tables: [
        ...blocks.map(({ network, bits, floating, groups }) => ({
          caption: `${network}, ${bits} bits for weights and for inputs, on average`,
          table: table(
            [floating, ...groups],
            [
              ...[METHOD, ...BITS, SIZE, ...ACCURACY],
              ...differenceColumns(NAMES.chain, () => groups.find(({ method }) => method === NAMES.chain)),
              { title: "rate", value: ({ outcomes }) => shown(outcomes[0]?.rate) },
            ],
          ),
        })),
        publishedTable(blocks),
      ],
      notes: [
        ...blocks.flatMap(({ network, bits, groups }) =>
          leaderNote(`${network} at ${bits} bits`, groups.filter(isHeldAgainst), NAMES.chain),
        ),
        leadsNote(scale, blocks),
        ...missingNote(comparison.requests(scale), found),
      ].filter((note) => note !== ""),
      figures: blocks.flatMap((block) => figureOf(block)),
    };
  },
};

interface Block {
  readonly network: string;
  readonly bits: number;
  readonly groups: readonly Group[];
}

const meanOf = (group: Group): number => overSeeds(group, accuracy)?.mean ?? Number.NEGATIVE_INFINITY;

/** Whether a row is ours as a whole, or one of others: parts of ours are not held against it. */
const isHeldAgainst = ({ method }: Group): boolean => method === NAMES.chain || !OURS.includes(method);

/** On how many networks ours leads at the least bits. */
function leadsNote({ bits, networks }: Extent, blocks: readonly Block[]): string {
  const least = blocks.filter((block) => block.bits === bits[0]);
  const compared = least.map(({ network, groups }) => ({
    network,
    ranked: groups.filter((group) => isHeldAgainst(group) && group.outcomes.length > 0),
  }));
  const complete = compared.filter(
    ({ ranked }) => ranked.length > 1 && ranked.some(({ method }) => method === NAMES.chain),
  );
  if (complete.length === 0) return "";
  const leading = complete.filter(({ ranked }) => ranked[0]!.method === NAMES.chain);
  return `At ${bits[0]} bits ${NAMES.chain} has the highest mean of all methods of others that are there on ${leading.length} of ${networks.length} networks.`;
}

/** What others report, and ours on the same network and data; nothing is ours where that was not trained. */
function publishedTable(blocks: readonly Block[]) {
  const ours = ({ network, method }: Published, bits: number): number | undefined => {
    const block = blocks.find((own) => own.network === network.toLowerCase() && own.bits === bits);
    const names = method === "AutoQNN" ? [NAMES.chain] : [method, `${method} (as published)`];
    const group = block?.groups.find((own) => names.includes(own.method));
    return group && overSeeds(group, accuracy)?.mean;
  };
  return {
    caption: "What papers report (top-1 accuracy in %), beside the same method here on the same network",
    table: table(PUBLISHED, [
      { title: "network", value: ({ network }) => network },
      { title: "data", value: ({ data }) => data },
      { title: "method", value: ({ method }) => method },
      { title: "floating point", unit: "%", value: ({ floating }) => shown(floating) },
      ...[2, 3, 4].flatMap((bits) => [
        { title: `W${bits}A${bits}`, unit: "%", value: (row: Published) => shown(row.bits[bits]) },
        {
          title: `W${bits}A${bits} here`,
          unit: "%",
          digits: 2,
          value: (row: Published) => shown(ours(row, bits)),
        },
      ]),
      { title: "source", wraps: true, value: ({ source }) => source },
    ]),
  };
}

function figureOf({ network, bits, groups }: Block) {
  const ours = groups.find(({ method }) => method === NAMES.chain);
  const rows = groups.flatMap((group) => {
    const effect = ours && group !== ours ? paired(group, ours) : undefined;
    return effect ? [{ name: group.method, effect }] : [];
  });
  if (rows.length === 0) return [];
  return [
    {
      name: `comparison-${network}-${bits}-bits`,
      caption: `${network} at ${bits} bits: test accuracy against ${NAMES.chain}, paired by seed. Bars are confidence intervals of 95 %; left of zero is worse than ours.`,
      figure: differencesFigure(
        `Methods at ${bits} bits, ${network}`,
        `difference to ${NAMES.chain} (points of test accuracy)`,
        rows,
      ),
    },
  ];
}
