import { moments } from "../../sdk/report/moments.js";
import type { Extent, Found, Outcome, Request } from "../experiment.js";

/** A place in a table: a method on a network at a budget, whatever the seed. */
export type Place = Omit<Request, "seed">;

/** The outcomes of one place, one for each seed that is there. */
export interface Group extends Place {
  /** How many seeds were asked for. */
  readonly asked: number;
  readonly outcomes: readonly Outcome[];
}

/** A number over seeds. */
export interface OverSeeds {
  readonly mean: number;
  /** Standard deviation over seeds, of a sample; 0 of one seed. */
  readonly deviation: number;
  readonly count: number;
}

/** What must be trained for these places: each with every seed. */
export const requestsOf = ({ seeds }: Extent, places: readonly Place[]): Request[] =>
  places.flatMap((place) => seeds.map((seed) => ({ ...place, seed })));

/** What there is of one place. */
export function groupOf(scale: Extent, found: Found, place: Place): Group {
  const outcomes = requestsOf(scale, [place]).flatMap((request) => found.of(request) ?? []);
  return { ...place, asked: scale.seeds.length, outcomes };
}

/** A number of the outcomes over seeds; undefined where no outcome has it. */
export function overSeeds(
  { outcomes }: Group,
  value: (outcome: Outcome) => number | undefined,
): OverSeeds | undefined {
  const values = outcomes.flatMap((outcome) => value(outcome) ?? []);
  return values.length === 0 ? undefined : { ...moments(values), count: values.length };
}

/** Test accuracy in percent. */
export const accuracy = ({ test }: Outcome): number => 100 * test.accuracy;

/** Size of the weights in KB of 1000 bytes. */
export const kilobytes = ({ bytes }: Outcome): number => bytes / 1000;

/** Weights and the most activations that are live at once, for one image, in KB of 1000 bytes. */
export const memoryKilobytes = ({ memoryBytes }: Outcome): number | undefined =>
  memoryBytes && memoryBytes / 1000;

/** A number over seeds in words: "88.20 ± 0.31 %", or that it is of one seed. */
export function inWords({ mean, deviation, count }: OverSeeds, unit = " %", digits = 2): string {
  if (count === 1) return `${mean.toFixed(digits)}${unit} (one seed)`;
  return `${mean.toFixed(digits)} ± ${deviation.toFixed(digits)}${unit}`;
}

/** Says how much of what was asked for is missing; nothing where all is there. */
export function missingNote(requests: readonly Request[], found: Found): string[] {
  const missing = requests.filter((request) => !found.of(request)).length;
  if (missing === 0) return [];
  return [
    `${missing} of ${requests.length} networks ${missing === 1 ? "is" : "are"} not trained yet: a place without any shows -, the others are over the seeds there are.`,
  ];
}
