import { type Effect, effectsOf } from "../../sdk/study/effects.js";
import type { Column } from "../../sdk/table.js";
import { shown } from "./columns.js";
import { accuracy, type Group, inWords, overSeeds } from "./group.js";

/**
 * How many points of test accuracy `group` lies above `reference`, over the seeds that both have: mean of the differences
 * and its confidence interval of 95 % by Student's t. Undefined without a common seed.
 */
export function paired(group: Group, reference: Group): Effect | undefined {
  const rows = [reference, group].flatMap(({ outcomes }, level) =>
    outcomes.map((outcome) => ({
      state: "done",
      level,
      seed: outcome.seed,
      difference: accuracy(outcome),
    })),
  );
  return effectsOf(rows, ["level", "seed"], "level", "difference")[0];
}

/** The difference of each row to its reference, with its interval; a dash for the reference itself and for what is missing. */
export function differenceColumns(
  reference: string,
  referenceOf: (group: Group) => Group | undefined,
): Column<Group>[] {
  const of = (group: Group): Effect | undefined => {
    const other = referenceOf(group);
    return other && other.method !== group.method ? paired(group, other) : undefined;
  };
  return [
    {
      ...{ title: `difference to ${reference}`, unit: "points", digits: 2 },
      value: (group) => shown(of(group)?.mean),
    },
    { title: "low (95 %)", digits: 2, value: (group) => shown(of(group)?.low ?? undefined) },
    { title: "high (95 %)", digits: 2, value: (group) => shown(of(group)?.high ?? undefined) },
  ];
}

/** Whether the interval of a difference leaves out zero. */
export const isClear = ({ low, high }: Effect): boolean =>
  low !== null && high !== null && (low > 0 || high < 0);

/**
 * A difference in words: "0.31 points above LSQ (95 % interval -0.10 to 0.72, 3 seeds; it holds zero)".
 *
 * @param reference what was subtracted
 */
export function differenceInWords(effect: Effect, reference: string): string {
  const { mean, low, high, n } = effect;
  const size = `${Math.abs(mean).toFixed(2)} points ${mean < 0 ? "below" : "above"} ${reference}`;
  if (low === null || high === null) return `${size} (one seed, no interval)`;
  const interval = `95 % interval ${low.toFixed(2)} to ${high.toFixed(2)}, ${n} seeds`;
  return `${size} (${interval}${isClear(effect) ? "" : "; it holds zero"})`;
}

/**
 * Who has the highest mean, and where ours stands if it is not ours: one sentence, or none where ours or the others are
 * missing.
 *
 * @param where what is compared, as it begins the sentence: "ResNet8 at 2 bits"
 */
export function leaderNote(where: string, groups: readonly Group[], ours: string): string[] {
  const ranked = groups
    .flatMap((group) => {
      const found = overSeeds(group, accuracy);
      return found ? [{ group, found }] : [];
    })
    .toSorted((a, b) => b.found.mean - a.found.mean);
  const rank = ranked.findIndex(({ group }) => group.method === ours);
  if (rank < 0 || ranked.length < 2) return [];
  const own = ranked[rank]!;
  const other = ranked[rank === 0 ? 1 : 0]!;
  const effect = paired(own.group, other.group);
  const difference = effect ? `: ours lies ${differenceInWords(effect, "it")}` : "";
  const [mine, theirs] = [inWords(own.found), inWords(other.found)];
  return [
    rank === 0
      ? `${where}: ${ours} leads with ${mine}; next is ${other.group.method} with ${theirs}${difference}.`
      : `${where}: ${ours} does not lead: ${other.group.method} has ${theirs}; ours has ${mine}, place ${rank + 1} of ${ranked.length}${difference}.`,
  ];
}
