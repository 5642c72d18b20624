import { AutoqnnError } from "../errors.js";
import { type Table, table } from "../table.js";
import { canonical } from "./cell.js";
import { student } from "./student.js";

/** How an axis acts on a metric between two of its levels, over pairs of cells that differ in nothing else. */
export interface Effect {
  readonly axis: string;
  readonly from: string | number | boolean | null;
  readonly to: string | number | boolean | null;
  readonly metric: string;
  /** Number of pairs. */
  readonly n: number;
  /** Mean of the metric at `to` minus the metric at `from`. */
  readonly mean: number;
  /** Of the mean; null for fewer than two pairs. */
  readonly standardError: number | null;
  /** The confidence interval of the mean, by Student's t with n - 1 degrees of freedom; null for fewer than two pairs. */
  readonly low: number | null;
  readonly high: number | null;
  /** Share of such intervals that hold the true mean. */
  readonly confidence: number;
  /** Why not to trust the interval, where there are fewer than three pairs. */
  readonly warning: string | null;
}

export interface EffectOptions {
  /** Default 0.95. */
  readonly confidence?: number;
}

type Row = Readonly<Record<string, unknown>>;

/**
 * The effects of `axis` on `metric` between all pairs of its levels, in the order in which they first occur. Pairs are matched by all
 * other axes, the seed among them; what has no partner is left out.
 *
 * Throws AutoqnnError `bad-option` for an axis or a metric that the rows have not.
 */
export function effectsOf(
  rows: readonly Row[],
  axes: readonly string[],
  axis: string,
  metric: string,
  { confidence = 0.95 }: EffectOptions = {},
): Effect[] {
  if (!axes.includes(axis)) {
    throw new AutoqnnError(
      "bad-option",
      `Expected an axis among ${axes.join(", ")}, received "${axis}".`,
      "Name one of them.",
    );
  }
  if (!(confidence > 0 && confidence < 1)) {
    throw new AutoqnnError(
      "bad-option",
      `Expected a confidence between 0 and 1, received ${confidence}.`,
      "Give 0.95.",
    );
  }
  const done = rows.filter((row) => row.state === "done");
  if (done.some((row) => !(metric in row) || typeof row[metric] === "string")) {
    const known = Object.keys(done[0]!).filter(
      (name) => typeof done[0]![name] === "number" && !axes.includes(name),
    );
    throw new AutoqnnError(
      "bad-option",
      `Expected a metric among ${known.join(", ")}, received "${metric}".`,
      "Name one of them.",
    );
  }
  const others = axes.filter((name) => name !== axis);
  const matched = new Map<string, Map<unknown, number>>();
  for (const row of done.filter((row) => row[metric] !== null)) {
    const key = canonical(others.map((name) => row[name]));
    const levels = matched.get(key) ?? new Map<unknown, number>();
    matched.set(key, levels.set(row[axis], row[metric] as number));
  }
  const levels = [...new Set(done.map((row) => row[axis] as Effect["from"]))];
  return levels.flatMap((from, i) =>
    levels.slice(i + 1).flatMap((to) => {
      const differences = [...matched.values()]
        .filter((group) => group.has(from) && group.has(to))
        .map((group) => group.get(to)! - group.get(from)!);
      return differences.length > 0 ? [{ axis, from, to, metric, ...summary(differences, confidence) }] : [];
    }),
  );
}

function summary(differences: readonly number[], confidence: number) {
  const n = differences.length;
  const mean = differences.reduce((sum, value) => sum + value, 0) / n;
  const squares = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const standardError = n > 1 ? Math.sqrt(squares / (n - 1) / n) : null;
  const half = standardError === null ? null : student(confidence, n - 1) * standardError;
  return {
    n,
    mean,
    standardError,
    low: half === null ? null : mean - half,
    high: half === null ? null : mean + half,
    confidence,
    warning: n < 3 ? `only ${n} ${n === 1 ? "pair" : "pairs"}: add seeds` : null,
  };
}

/** Effects as a table. Accuracies are shown in percentage points. */
export function effectTable(effects: readonly Effect[]): Table {
  const factor = ({ metric }: Effect): number => (/accuracy$/i.test(metric) ? 100 : 1);
  const scaled = (read: (effect: Effect) => number | null) => (effect: Effect) => {
    const value = read(effect);
    return value === null ? undefined : Number((factor(effect) * value).toPrecision(4));
  };
  const levels = [...new Set(effects.map(({ confidence }) => `${100 * confidence} %`))];
  const share = levels.length === 1 ? ` (${levels[0]})` : "";
  return table(effects, [
    { title: "axis", value: ({ axis }) => axis },
    { title: "from", value: ({ from }) => String(from ?? "") },
    { title: "to", value: ({ to }) => String(to ?? "") },
    {
      title: "metric",
      value: (effect) => (factor(effect) === 100 ? `${effect.metric} (points)` : effect.metric),
    },
    { title: "n", value: ({ n }) => n },
    { title: "mean", value: scaled(({ mean }) => mean) },
    { title: "standard error", value: scaled(({ standardError }) => standardError) },
    { title: `low${share}`, value: scaled(({ low }) => low) },
    { title: `high${share}`, value: scaled(({ high }) => high) },
    { title: "note", value: ({ warning }) => warning ?? "" },
  ]);
}
