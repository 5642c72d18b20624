import { table } from "../../sdk/table.js";
import { type Experiment, type Extent, FLOATING, FLOATING_BITS } from "../experiment.js";
import { NAMES } from "../methods/names.js";
import { budgetFigure } from "./budgetFigure.js";
import { ACCURACY, BITS, MEMORY, METHOD, SIZE } from "./columns.js";
import {
  type Group,
  groupOf,
  kilobytes,
  memoryKilobytes,
  missingNote,
  type Place,
  requestsOf,
} from "./group.js";
import { differenceColumns, differenceInWords, leaderNote, paired } from "./paired.js";

/** What all networks are compared by: the same bits everywhere, and bits that are allotted. */
const COMPARED: readonly string[] = [NAMES.uniform, NAMES.control, NAMES.learn, NAMES.restarted];

/** Those under a budget of memory. */
const OF_MEMORY: readonly string[] = [NAMES.memoryControl, NAMES.memory];

function placesOf({ bits, ablated, networks }: Extent, network: string): Place[] {
  const methods = [...COMPARED, ...((ablated ?? networks).includes(network) ? OF_MEMORY : [])];
  return bits.flatMap((budget) =>
    methods
      .filter((method) => method !== NAMES.uniform || Number.isInteger(budget))
      .map((method) => ({ network, method, bits: budget })),
  );
}

const floatingOf = (network: string): Place => ({ network, method: FLOATING, bits: FLOATING_BITS });

/** Precision learning: accuracy against size and against memory, bits that are uniform against those that are learned. */
export const precision: Experiment = {
  number: 3,
  name: "precision",
  title: ({ title }) => `Table 3. Precision learning (QPL) against uniform bits: ${title}`,
  requests: (scale) =>
    scale.networks.flatMap((network) =>
      requestsOf(scale, [floatingOf(network), ...placesOf(scale, network)]),
    ),
  render(scale, found) {
    const networks = scale.networks.map((network) => ({
      network,
      floating: groupOf(scale, found, floatingOf(network)),
      groups: placesOf(scale, network).map((place) => groupOf(scale, found, place)),
    }));
    return {
      tables: networks.map(({ network, floating, groups }) => ({
        caption: network,
        table: table(
          [floating, ...groups],
          [
            { title: "budget", unit: "bit", value: ({ bits }) => bits },
            ...[METHOD, ...BITS, SIZE, MEMORY, ...ACCURACY],
            ...differenceColumns(NAMES.uniform, ({ bits }) => uniformAt(groups, bits)),
          ],
        ),
      })),
      notes: [
        ...networks.flatMap(({ network, groups }) => notesOf(scale, network, groups)),
        `The budget of memory is what uniform bits need for weights and live activations of one image; it is free to shift bits between them. The budget of the others is the average of weights and of inputs, each by itself.`,
        ...missingNote(precision.requests(scale), found),
      ],
      figures: networks.flatMap(({ network, floating, groups }) => [
        ...budgetFigure(network, "size", "size of the weights (KB)", kilobytes, groups, floating),
        ...budgetFigure(
          ...([network, "memory", "weights and live activations of one image (KB)"] as const),
          ...([memoryKilobytes, groups, floating] as const),
        ),
      ]),
    };
  },
};

const uniformAt = (groups: readonly Group[], bits: number): Group | undefined =>
  groups.find((group) => group.method === NAMES.uniform && group.bits === bits);

function notesOf({ bits }: Extent, network: string, groups: readonly Group[]): string[] {
  return bits.flatMap((budget) => {
    const where = `${network} at ${budget} bits`;
    const own = groups.filter((group) => group.bits === budget);
    const at = (method: string): Group | undefined => own.find((group) => group.method === method);
    const against = (method: string, reference: string): string[] => {
      const [group, other] = [at(method), at(reference)];
      const effect = group && other && paired(group, other);
      return effect ? [`${where}: ${method} lies ${differenceInWords(effect, reference)}.`] : [];
    };
    return [
      ...leaderNote(
        where,
        own.filter(({ method }) => !OF_MEMORY.includes(method)),
        NAMES.learn,
      ),
      ...against(NAMES.learn, NAMES.uniform),
      ...against(NAMES.learn, NAMES.control),
      ...against(NAMES.restarted, NAMES.control),
      ...against(NAMES.restarted, NAMES.learn),
      ...against(NAMES.memory, NAMES.uniform),
      ...against(NAMES.memory, NAMES.memoryControl),
    ];
  });
}
