import { table } from "../../sdk/table.js";
import type { Experiment, Extent } from "../experiment.js";
import { NAMES, withoutScheme } from "../methods/names.js";
import { ACCURACY, METHOD, SIZE, VALIDATION_LOSS } from "./columns.js";
import { differencesFigure } from "./differencesFigure.js";
import { type Group, groupOf, missingNote, type Place, requestsOf } from "./group.js";
import { differenceColumns, differenceInWords, isClear, leaderNote, paired } from "./paired.js";

/** The candidates of a search at two bits; each is left out in turn. */
export const CANDIDATES = [
  ...(["clip", "zoom", "fixed", "pot", "residual", "ternary", "quaternary", "binary"] as const),
];

/** What is compared on every network, and what only where parts are left out. */
const EVERYWHERE = [NAMES.search, NAMES.modelSearch, NAMES.uniform];
const LEFT_OUT = CANDIDATES.map(withoutScheme);

/** Rows on one network; the first is the whole search. All have the least bits of the scale, at which schemes differ most. */
function placesOf({ bits, ablated, networks }: Extent, network: string): Place[] {
  const parts = (ablated ?? networks).includes(network) ? LEFT_OUT : [];
  return [...EVERYWHERE, ...parts].map((method) => ({ network, method, bits: bits[0]! }));
}

/** Scheme search and its parts: a scheme for each layer or one for the model, and each candidate left out. */
export const schemes: Experiment = {
  number: 2,
  name: "schemes",
  title: ({ title }) => `Table 2. Scheme search (QSS) and what its parts are worth: ${title}`,
  requests: (scale) => scale.networks.flatMap((network) => requestsOf(scale, placesOf(scale, network))),
  render(scale, found) {
    const networks = scale.networks.map((network) => ({
      network,
      groups: placesOf(scale, network).map((place) => groupOf(scale, found, place)),
    }));
    return {
      tables: networks.map(({ network, groups }) => ({
        caption: `${network}, ${scale.bits[0]} bits for weights and inputs`,
        table: table(groups, [
          ...[METHOD, SIZE, ...ACCURACY],
          ...differenceColumns(NAMES.search, () => groups[0]),
          VALIDATION_LOSS,
        ]),
      })),
      notes: [
        ...networks.flatMap(({ network, groups }) => notesOf(scale, network, groups)),
        "At two bits quaternary is clip: without one of them, the other is still a candidate for weights.",
        ...missingNote(schemes.requests(scale), found),
      ],
      figures: networks.flatMap(({ network, groups }) => figureOf(network, groups)),
    };
  },
};

function notesOf(scale: Extent, network: string, groups: readonly Group[]): string[] {
  const [whole, model, uniform, ...parts] = groups as [Group, Group, Group, ...Group[]];
  const where = `${network} at ${scale.bits[0]} bits`;
  const against = (title: string, other: Group): string[] => {
    const effect = paired(whole, other);
    return effect ? [`${where}: ${NAMES.search} lies ${differenceInWords(effect, title)}.`] : [];
  };
  return [
    ...leaderNote(where, groups, NAMES.search),
    ...against("one scheme for the whole model", model),
    ...against(NAMES.uniform, uniform),
    ...partsNote(where, whole, parts),
  ];
}

/** Which candidates the search would miss, or do better without. */
function partsNote(where: string, whole: Group, parts: readonly Group[]): string[] {
  const effects = parts.flatMap((part) => {
    const effect = paired(part, whole);
    return effect ? [{ part, effect }] : [];
  });
  if (effects.length === 0) return [];
  const clear = effects.filter(({ effect }) => isClear(effect));
  if (clear.length === 0) {
    return [`${where}: no candidate that was left out changed the accuracy by more than its interval.`];
  }
  return clear.map(
    ({ part, effect }) => `${where}: ${part.method} lies ${differenceInWords(effect, NAMES.search)}.`,
  );
}

function figureOf(network: string, groups: readonly Group[]) {
  const [whole, ...others] = groups as [Group, ...Group[]];
  const rows = others.flatMap((group) => {
    const effect = paired(group, whole);
    return effect ? [{ name: group.method, effect }] : [];
  });
  if (rows.length === 0) return [];
  return [
    {
      name: `schemes-${network}`,
      caption: `${network}: test accuracy against ${NAMES.search}, paired by seed. Bars are confidence intervals of 95 %; right of zero is better than the whole search.`,
      figure: differencesFigure(
        `What the parts of scheme search are worth, ${network}`,
        `difference to ${NAMES.search} (points of test accuracy)`,
        rows,
      ),
    },
  ];
}
