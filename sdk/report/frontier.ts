import { AutoqnnError } from "../errors.js";
import { moments } from "./moments.js";
import type { Figure } from "./panels.js";
import { axis, INK, layout, PALETTE, SYMBOLS } from "./style.js";

/** A finished run. Runs of one name differ in their seeds alone. */
export interface FrontierRow {
  readonly name: string;
  /** Part of the examples, 0 to 1. */
  readonly accuracy: number;
  readonly bytes: number;
  readonly seed?: number | string | null;
}

/** Accuracy in percent and size in KB of 1000 bytes. */
interface Point {
  readonly accuracy: number;
  readonly kilobytes: number;
}

interface Group {
  readonly name: string;
  readonly runs: readonly (Point & { readonly seed: FrontierRow["seed"] })[];
  readonly mean: Point;
  readonly spread: Point;
}

/** How solid the points of single runs are beside their mean. */
const SINGLE = 0.35;

/**
 * Accuracy against size over all runs. A small point is a run; a large one the mean of the runs of one name, its bars one
 * standard deviation. The steps join the means that no other beats in both; `floating` is where the network starts.
 *
 * Throws AutoqnnError `bad-option` without a row, or for a size that is not positive.
 *
 * @example
 * const { data, layout } = frontier([
 *   { name: "2 bit", accuracy: 0.89, bytes: 20_000, seed: 1 },
 *   { name: "2 bit", accuracy: 0.9, bytes: 20_000, seed: 2 },
 *   { name: "4 bit", accuracy: 0.91, bytes: 40_000, seed: 1 },
 * ]);
 */
export function frontier(rows: readonly FrontierRow[], floating?: Omit<FrontierRow, "name">): Figure {
  check(rows);
  const groups = groupsOf(rows);
  const best = undominated(groups.map(({ mean }) => mean)).toSorted((a, b) => a.kilobytes - b.kilobytes);
  const steps = {
    type: "scatter",
    mode: "lines",
    name: "frontier",
    x: best.map(({ kilobytes }) => kilobytes),
    y: best.map(({ accuracy }) => accuracy),
    // A step down in size at the accuracy of the smaller network: what one can have for so many bytes.
    line: { shape: "hv", color: INK, width: 1.2, dash: "dash" },
    hoverinfo: "skip",
  };
  const drawn = groups.flatMap(({ name, runs, mean, spread }, index) => {
    const color = PALETTE[index % PALETTE.length]!;
    const symbol = SYMBOLS[index % SYMBOLS.length]!;
    const look = { type: "scatter", mode: "markers", name, legendgroup: name };
    const single = {
      ...look,
      showlegend: false,
      x: runs.map(({ kilobytes }) => kilobytes),
      y: runs.map(({ accuracy }) => accuracy),
      text: runs.map(({ seed }) => (seed === undefined || seed === null ? "" : `, seed ${seed}`)),
      marker: { symbol, color, size: 6, opacity: SINGLE },
      hovertemplate: `${name}%{text}: %{y:.2f} % at %{x:.2f} KB<extra></extra>`,
    };
    const bars = (value: number) => ({ type: "data", array: [value], color, thickness: 1.2, width: 4 });
    const middle = {
      ...look,
      x: [mean.kilobytes],
      y: [mean.accuracy],
      error_x: bars(spread.kilobytes),
      error_y: bars(spread.accuracy),
      marker: { symbol, color, size: 11, line: { color: "#ffffff", width: 1 } },
      hovertemplate: `${name}, mean of ${runs.length}: %{y:.2f} ± ${spread.accuracy.toFixed(2)} % at %{x:.2f} KB<extra></extra>`,
    };
    return runs.length > 1 ? [single, middle] : [middle];
  });
  const start = floating && {
    type: "scatter",
    mode: "markers",
    name: "FP32",
    x: [floating.bytes / 1000],
    y: [100 * floating.accuracy],
    marker: { symbol: "star-open", color: INK, size: 13, line: { width: 1.5 } },
    hovertemplate: "FP32: %{y:.2f} % at %{x:.1f} KB<extra></extra>",
  };
  const sizes = [...rows, ...(floating ? [floating] : [])].map(({ bytes }) => bytes / 1000);
  return {
    data: [steps, ...drawn, ...(start ? [start] : [])],
    layout: layout("Accuracy against size", 480, {
      xaxis: axis("size of the model (KB)", { type: "log", ...ticks(sizes), minor: { showgrid: false } }),
      yaxis: axis("accuracy (%)"),
      legend: { orientation: "v", x: 1.02, xanchor: "left", y: 1, yanchor: "top" },
    }),
  };
}

/** The points that no other is as good as or better than in both accuracy and size, and better in one. */
export function undominated<P extends Point>(points: readonly P[]): P[] {
  return points.filter(
    (point) =>
      !points.some(
        (other) =>
          other.accuracy >= point.accuracy &&
          other.kilobytes <= point.kilobytes &&
          (other.accuracy > point.accuracy || other.kilobytes < point.kilobytes),
      ),
  );
}

function groupsOf(rows: readonly FrontierRow[]): Group[] {
  return [...new Set(rows.map(({ name }) => name))].map((name) => {
    const runs = rows
      .filter((row) => row.name === name)
      .map(({ accuracy, bytes, seed }) => ({ accuracy: 100 * accuracy, kilobytes: bytes / 1000, seed }));
    const [accuracy, kilobytes] = [
      moments(runs.map((run) => run.accuracy)),
      moments(runs.map((run) => run.kilobytes)),
    ];
    return {
      ...{ name, runs },
      mean: { accuracy: accuracy.mean, kilobytes: kilobytes.mean },
      spread: { accuracy: accuracy.deviation, kilobytes: kilobytes.deviation },
    };
  });
}

/** Marks between 1 and 10, from few to many. */
const MARKS: readonly (readonly number[])[] = [
  [1, 2, 5],
  ...[1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01].map((step) =>
    Array.from({ length: Math.round(9 / step) }, (_, i) => 1 + i * step),
  ),
];

/**
 * A logarithmic axis of its own names digits without their powers of ten, and none where the values lie between two powers.
 * These are the fewest round numbers of which three or more lie among the values; the values themselves where they are too near.
 */
function ticks(values: readonly number[]): { readonly tickvals: number[]; readonly ticktext: string[] } {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const [lowest, highest] = [least, most].map((value) => Math.floor(Math.log10(value))) as [number, number];
  const powers = Array.from({ length: highest - lowest + 1 }, (_, i) => 10 ** (lowest + i));
  const sets = MARKS.map((marks) =>
    powers
      .flatMap((power) => marks.map((mark) => Number((mark * power).toPrecision(4))))
      .filter((mark) => mark >= least && mark <= most),
  );
  const tickvals = sets.find((set) => set.length >= 3) ?? [...new Set(values)];
  return { tickvals, ticktext: tickvals.map((value) => value.toLocaleString("en-US")) };
}

function check(rows: readonly FrontierRow[]): void {
  const wrong = rows.find(({ bytes, accuracy }) => !(bytes > 0) || !Number.isFinite(accuracy));
  if (rows.length > 0 && !wrong) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected runs with an accuracy and a size in bytes, received ${wrong ? JSON.stringify(wrong) : "none"}.`,
    "Give the runs that are finished.",
  );
}
