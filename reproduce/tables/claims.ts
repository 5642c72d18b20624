import { table } from "../../sdk/table.js";
import { type Experiment, type Extent, FLOATING, FLOATING_BITS } from "../experiment.js";
import { NAMES } from "../methods/names.js";
import { SEEDS, shown } from "./columns.js";
import { differencesFigure } from "./differencesFigure.js";
import { accuracy, type Group, groupOf, missingNote, overSeeds, type Place, requestsOf } from "./group.js";
import { paired } from "./paired.js";

/** That one method has at least so many points of test accuracy more than another. */
interface Claim {
  readonly ours: string;
  readonly reference: string;
  /** Negative: ours may lie so far below. */
  readonly points: number;
}

const CLAIMS: readonly Claim[] = [
  { ours: NAMES.learn, reference: NAMES.control, points: 0.3 },
  { ours: NAMES.search, reference: NAMES.uniform, points: 0.3 },
  { ours: NAMES.chain, reference: NAMES.lsq, points: 1 },
  { ours: NAMES.chain, reference: NAMES.lsqEnds, points: 0.5 },
  { ours: NAMES.chain, reference: FLOATING, points: -1.5 },
];

/** All at the least bits, where methods differ most. */
const placeOf = ({ bits }: Extent, network: string, method: string): Place => ({
  ...{ network, method, bits: method === FLOATING ? FLOATING_BITS : bits[0]! },
});

const METHODS = [...new Set(CLAIMS.flatMap(({ ours, reference }) => [ours, reference]))];

/** As many seeds as claims want, where a scale has more of them for this. */
const seeded = (scale: Extent): Extent => ({ ...scale, seeds: scale.claimSeeds ?? scale.seeds });

/** What this project would claim, each claim held to the interval of its differences. */
export const claims: Experiment = {
  number: 6,
  name: "claims",
  title: ({ title }) => `Table 6. What may be claimed: ${title}`,
  requests: (scale) =>
    scale.networks.flatMap((network) =>
      requestsOf(
        seeded(scale),
        METHODS.map((method) => placeOf(scale, network, method)),
      ),
    ),
  render(scale, found) {
    const rows = CLAIMS.flatMap((claim) =>
      scale.networks.map((network) => {
        const of = (method: string) => groupOf(seeded(scale), found, placeOf(scale, network, method));
        const [ours, reference] = [of(claim.ours), of(claim.reference)];
        return { claim, network, ours, reference, effect: paired(ours, reference) };
      }),
    );
    const over = (group: Group) => overSeeds(group, accuracy);
    return {
      tables: [
        {
          caption: `${scale.bits[0]} bits on average for weights and for inputs`,
          table: table(rows, [
            { title: "claim", value: ({ claim }) => saidOf(claim) },
            { title: "network", value: ({ network }) => network },
            { title: "the one", unit: "%", digits: 2, value: ({ ours }) => shown(over(ours)?.mean) },
            {
              title: "the other",
              unit: "%",
              digits: 2,
              value: ({ reference }) => shown(over(reference)?.mean),
            },
            { title: "difference", unit: "points", digits: 2, value: ({ effect }) => shown(effect?.mean) },
            { title: "low (95 %)", digits: 2, value: ({ effect }) => shown(effect?.low ?? undefined) },
            { title: "high (95 %)", digits: 2, value: ({ effect }) => shown(effect?.high ?? undefined) },
            { ...SEEDS, value: ({ ours }) => SEEDS.value(ours) },
            { title: "shown", value: (row) => verdict(row) },
          ]),
        },
      ],
      notes: [
        ...CLAIMS.flatMap((claim) => claimNote(rows.filter((row) => row.claim === claim))),
        ...missingNote(claims.requests(scale), found),
      ],
      figures: scale.networks.flatMap((network) =>
        figureOf(
          network,
          rows.filter((row) => row.network === network),
        ),
      ),
    };
  },
};

/** A claim on one network. */
interface Row {
  readonly claim: Claim;
  readonly network: string;
  readonly ours: Group;
  readonly reference: Group;
  readonly effect: ReturnType<typeof paired>;
}

const saidOf = ({ ours, reference, points }: Claim): string =>
  points < 0
    ? `${ours} at most ${inPoints(-points)} below ${reference}`
    : `${ours} at least ${inPoints(points)} above ${reference}`;

const inPoints = (count: number): string => (count === 1 ? "one point" : `${count} points`);

/** "yes" and "no" where the whole interval lies on that side of what is claimed. */
function verdict({ claim: { points }, effect }: Row): string {
  if (!effect || effect.low === null || effect.high === null) return "-";
  if (effect.low >= points) return "yes";
  return effect.high < points ? "no" : "open";
}

function claimNote(rows: readonly Row[]): string[] {
  const [{ claim }] = rows as [Row];
  const known = rows.filter((row) => verdict(row) !== "-");
  if (known.length === 0) return [];
  const where = (said: string) => {
    const own = known.filter((row) => verdict(row) === said).map(({ network }) => network);
    return own.length > 0 ? [own.join(", ")] : [];
  };
  const parts = [
    ...where("yes").map((networks) => `shown on ${networks}`),
    ...where("no").map((networks) => `not so on ${networks}`),
    ...where("open").map((networks) => `open on ${networks}, whose interval holds what is claimed`),
  ];
  return [`${saidOf(claim)}: ${parts.join("; ")}.`];
}

function figureOf(network: string, rows: readonly Row[]) {
  const drawn = rows.flatMap(({ claim, effect }) => {
    if (!effect) return [];
    const { mean, low, high } = effect;
    const less = (value: number | null) => (value === null ? null : value - claim.points);
    const moved = { ...effect, mean: mean - claim.points, low: less(low), high: less(high) };
    return [{ name: saidOf(claim), effect: moved }];
  });
  if (drawn.length === 0) return [];
  return [
    {
      name: `claims-${network}`,
      caption: `${network}: differences of test accuracy less what is claimed, paired by seed. Bars are confidence intervals of 95 %; a claim is shown where its bar lies right of zero.`,
      figure: differencesFigure(
        `What may be claimed, ${network}`,
        "difference less the claim (points)",
        drawn,
      ),
    },
  ];
}
