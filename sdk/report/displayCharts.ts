import { escapeHtml } from "../table.js";

/**
 * A drawing that stands in a page. Text and axes have the colour of the page's text, so that they are legible on light and
 * on dark ground; no script, no style sheet, no name that another drawing could have.
 */
export function svg(width: number, height: number, title: string, inside: string): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" style="max-width:100%;height:auto" font-family="system-ui, sans-serif" role="img" aria-label="${escapeHtml(title)}">${inside}</svg>`;
}

/** Black is the page's own ink: it would not be seen on dark ground. */
export const inkOf = (colour: string): string => (colour === "#000000" ? "currentColor" : colour);

const CURVE = { width: 330, height: 92, left: 44, top: 18, bottom: 6 };

/** A line has at most so many points. */
const POINTS = 160;

/**
 * One quantity over the steps so far, smoothed. Of `steps` steps, those to come are left blank.
 *
 * @param format how numbers at the axis and the last value are written
 */
export function curve(
  title: string,
  values: readonly number[],
  steps: number,
  { colour, format }: { colour: string; format: (value: number) => string },
): string {
  const { width, height, left, top, bottom } = CURVE;
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return "";
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (step: number): string =>
    (left + (step / Math.max(1, steps - 1)) * (width - left - 6)).toFixed(1);
  const flat = high === low;
  const y = (value: number): string =>
    (height - bottom - (flat ? 0.5 : (value - low) / (high - low)) * (height - top - bottom)).toFixed(1);
  const picked = Array.from({ length: Math.min(POINTS, values.length) }, (_, i, count = values.length) =>
    Math.round((i * (count - 1)) / Math.max(1, Math.min(POINTS, count) - 1)),
  );
  const points = picked.map((step) => `${x(step)},${y(values[step]!)}`).join(" ");
  const last = values.length - 1;
  const text = (at: string, content: string): string =>
    `<text ${at} fill="currentColor" font-size="10">${content}</text>`;
  return svg(
    width,
    height,
    `${title} over ${values.length} steps`,
    [
      `<path d="M${left} ${top}V${height - bottom}H${width - 6}" fill="none" stroke="currentColor" stroke-opacity=".25"/>`,
      `<polyline points="${points}" fill="none" stroke="${colour}" stroke-width="1.6"/>`,
      `<circle cx="${x(last)}" cy="${y(values[last]!)}" r="2.6" fill="${colour}"/>`,
      text(
        `x="${left}" y="11"`,
        `${escapeHtml(title)} <tspan font-weight="bold">${format(values[last]!)}</tspan>`,
      ),
      text(`x="${left - 4}" y="${flat ? Number(y(high)) + 3 : top + 6}" text-anchor="end"`, format(high)),
      ...(!flat ? [text(`x="${left - 4}" y="${height - bottom}" text-anchor="end"`, format(low))] : []),
    ].join(""),
  );
}

/** One line of a heat map. */
export interface HeatRow {
  readonly name: string;
  /** What is written behind it: the last value. */
  readonly now: string;
  /** From the first step to the last: a colour, and how strong it is, 0 .. 1. */
  readonly cells: readonly { readonly colour: string; readonly strength: number }[];
}

const HEAT = { width: 680, name: 170, now: 96, labelled: 12, least: 4 };
const SHADES = 6;

/** Rows that have their names beside them, and rows that are drawn at all. */
const LABELLED = 40;
const DRAWN = 160;

/** Lines over time, one for each node: `share` of the time has passed. */
export function heatMap(title: string, rows: readonly HeatRow[], share: number): string {
  const { width, name: left, now, labelled, least } = HEAT;
  const drawn = rows.slice(0, DRAWN);
  const pitch = drawn.length <= LABELLED ? labelled : Math.max(least, (LABELLED * labelled) / drawn.length);
  const every = Math.ceil(11 / pitch);
  const span = (width - left - now) * share;
  // All cells of one colour and shade are one path: a tenth of the bytes.
  const paths = new Map<string, string[]>();
  for (const [line, { cells }] of drawn.entries()) {
    const top = line * pitch;
    for (let from = 0; from < cells.length; ) {
      const key = shadeOf(cells[from]!);
      let to = from + 1;
      while (to < cells.length && shadeOf(cells[to]!) === key) to++;
      const x = left + (span * from) / cells.length;
      const wide = (span * (to - from)) / cells.length;
      const path = `M${round(x)} ${round(top)}h${round(wide)}v${round(pitch - 1)}h-${round(wide)}z`;
      paths.set(key, [...(paths.get(key) ?? []), path]);
      from = to;
    }
  }
  const fills = [...paths].map(([key, list]) => `<path ${key} d="${list.join("")}"/>`);
  const texts = drawn.flatMap(({ name, now: value }, line) => {
    if (line % every !== 0) return [];
    const y = round(line * pitch + Math.min(pitch, labelled) - 3);
    return [
      `<text x="${left - 5}" y="${y}" text-anchor="end">${escapeHtml(shortened(name))}</text>`,
      `<text x="${width - now + 5}" y="${y}">${escapeHtml(value)}</text>`,
    ];
  });
  const more = rows.length - drawn.length;
  const note = more > 0 ? `<p>and ${more} more</p>` : "";
  return `${svg(width, Math.ceil(drawn.length * pitch), title, `<g fill="currentColor" font-size="9.5">${texts.join("")}</g>${fills.join("")}`)}${note}`;
}

function shadeOf({ colour, strength }: HeatRow["cells"][number]): string {
  const shade = Math.round(Math.min(1, Math.max(0, strength)) * SHADES) / SHADES;
  return `fill="${inkOf(colour)}" fill-opacity="${(0.15 + 0.85 * shade).toFixed(2)}"`;
}

/** How much of something is used: a bar that turns to another colour, and says so, where it is too much. */
export function usage(name: string, used: number, limit: number, unit: string): string {
  const share = used / limit;
  const over = share > 1 + 1e-9;
  const colour = over ? "#D55E00" : "#009E73";
  const width = Math.min(100, 100 * share).toFixed(1);
  const text = `${number(used)} of ${number(limit)} ${unit}, ${(100 * share).toFixed(0)} %${over ? ": too much" : ""}`;
  return `<div style="display:flex;align-items:center;gap:.6em;margin:.15em 0"><span style="min-width:15em">${escapeHtml(name)}</span>${bar(width, colour)}<span>${escapeHtml(text)}</span></div>`;
}

/** A bar filled to `percent`. */
export function bar(percent: string, colour: string): string {
  return `<span style="display:inline-block;width:12em;height:.7em;background:rgba(128,128,128,.25);border-radius:.35em;overflow:hidden"><span style="display:block;width:${percent}%;height:100%;background:${colour}"></span></span>`;
}

/** A square of a colour, and what it stands for. */
export function swatch(colour: string, text: string): string {
  return `<span style="white-space:nowrap"><span style="display:inline-block;width:.8em;height:.8em;background:${inkOf(colour)};margin:0 .3em 0 0"></span>${escapeHtml(text)}</span>`;
}

function number(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 });
}

/** The ends of a long name: the middle tells least. */
function shortened(name: string): string {
  return name.length <= 32 ? name : `${name.slice(0, 13)}…${name.slice(-18)}`;
}

const round = (value: number): number => Math.round(value * 10) / 10;
