import type { PolicyRow } from "../train/policy.js";
import type { History, Trace } from "../train/run.js";
import { curve, type HeatRow, heatMap, swatch } from "./displayCharts.js";
import { SCHEME_COLOURS, STAGES } from "./style.js";
import { rowAt, smoothed, softmax } from "./traces.js";

/** The most columns and cells of a heat map: what keeps it below the size that a front end takes several times a second. */
const COLUMNS = 60;
const CELLS = 3000;

/** What a stage recorded of `of` steps: its curves and, where it decides something, what it decided, over time. */
export interface Recorded {
  readonly history: Pick<History, "steps" | "loss" | "accuracy" | "traces">;
  /** What each row of the stage's own parameter decides. */
  readonly rows: readonly PolicyRow[];
  readonly of: number;
}

/** Loss and accuracy over the steps so far, beside each other. */
export function curvesOf({ history: { steps, loss, accuracy }, of }: Recorded): string {
  if (steps === 0) return "";
  const line = (title: string, values: Float32Array, colour: string, format: (value: number) => string) =>
    curve(title, smoothed(values.subarray(0, steps)), of, { colour, format });
  return `<div style="display:flex;flex-wrap:wrap;gap:0 1em">${[
    line("loss (nat)", loss, STAGES.search.colour, short),
    line("accuracy (%)", accuracy, STAGES.tune.colour, (value) => (100 * value).toFixed(1)),
  ].join("")}</div>`;
}

/** Three digits, in as many characters as stand beside an axis. */
const short = (value: number): string =>
  Math.abs(value) < 1e-3 && value !== 0 ? value.toExponential(1) : value.toPrecision(3);

/** Theta or b of every node over time; nothing for a stage that decides nothing. */
export function decisionsOf({ history: { steps, traces }, rows, of }: Recorded): string {
  const [name, draw] = traces.theta ? (["theta", thetaRow] as const) : (["bits", bitsRow] as const);
  const trace = traces[name];
  if (!trace || steps === 0 || rows.length === 0) return "";
  const columns = Math.max(1, Math.min(COLUMNS, steps, Math.floor(CELLS / rows.length)));
  const at = Array.from({ length: columns }, (_, i) => Math.round(((i + 1) * steps) / columns) - 1);
  const lines = rows.map((row, index) => draw(trace, row, index, at));
  const [title, legend] = name === "theta" ? thetaLegend(rows) : bitsLegend();
  return `<div style="margin:.3em 0">${title}</div><div style="display:flex;flex-wrap:wrap;gap:0 1em;font-size:90%;margin-bottom:.3em">${legend}</div>${heatMap(title, lines, Math.min(1, steps / of))}`;
}

/** The colour is the likeliest scheme's, stronger the surer: nothing where all are alike, full where p is 1. */
function thetaRow(
  trace: Trace,
  { name, candidates }: PolicyRow,
  index: number,
  at: readonly number[],
): HeatRow {
  const width = trace.row[1] ?? 1;
  const likeliest = at.map((step) => {
    const start = index * width;
    const p = softmax(rowAt(trace, step).subarray(start, start + candidates.length));
    const best = p.indexOf(Math.max(...p));
    return { candidate: candidates[best]!, p: p[best]! };
  });
  const { candidate, p } = likeliest.at(-1)!;
  const least = 1 / candidates.length;
  return {
    name,
    now: `${candidate.scheme} ${candidate.bits} · ${p.toFixed(2)}`,
    cells: likeliest.map(({ candidate: { scheme }, p }) => ({
      colour: SCHEME_COLOURS[scheme],
      // By the root: most nodes spend most of a search little above the least p, and are to be told apart there.
      strength: least === 1 ? 1 : Math.sqrt((p - least) / (1 - least)),
    })),
  };
}

function thetaLegend(rows: readonly PolicyRow[]): [title: string, legend: string] {
  const schemes = [...new Set(rows.flatMap(({ candidates }) => candidates.map(({ scheme }) => scheme)))];
  return [
    "The likeliest scheme of every node over time, stronger the surer; behind it p = softmax(theta)",
    schemes.map((scheme) => swatch(SCHEME_COLOURS[scheme], scheme)).join(""),
  ];
}

const BITS_COLOUR = "#2B8CCB";
const MOST_BITS = 8;
const strengthOf = (bits: number): number => (bits - 1) / (MOST_BITS - 1);

function bitsRow(trace: Trace, { name }: PolicyRow, index: number, at: readonly number[]): HeatRow {
  const values = at.map((step) => rowAt(trace, step)[index]!);
  return {
    name,
    now: `${values.at(-1)!.toFixed(2)} bit`,
    cells: values.map((bits) => ({ colour: BITS_COLOUR, strength: strengthOf(bits) })),
  };
}

function bitsLegend(): [title: string, legend: string] {
  const shades = Array.from({ length: MOST_BITS }, (_, i) => {
    const opacity = (0.15 + 0.85 * strengthOf(i + 1)).toFixed(2);
    return `<span style="white-space:nowrap"><span style="display:inline-block;width:.8em;height:.8em;background:${BITS_COLOUR};opacity:${opacity};margin:0 .3em 0 0"></span>${i + 1}</span>`;
  });
  return [
    "The real bitwidth b of every node over time, before rounding; behind it its value",
    shades.join(""),
  ];
}
