import { layout } from "./style.js";

/** What plotly draws: `Plotly.newPlot(element, figure.data, figure.layout)`. Plain JSON. */
export interface Figure {
  readonly data: readonly Readonly<Record<string, unknown>>[];
  readonly layout: Readonly<Record<string, unknown>>;
}

/** One small plot: traces without axes. */
export interface Panel {
  readonly title: string;
  /** Drawn in front, against the numbers on the left. */
  readonly front: readonly Readonly<Record<string, unknown>>[];
  /** Drawn behind, on a vertical scale of its own without numbers. */
  readonly back?: readonly Readonly<Record<string, unknown>>[];
}

const COLUMNS = 4;
const PER_PAGE = 12;
const ROW_HEIGHT = 200;
/** Pixels below the last row, and of those the ones above the legend: room for the numbers and titles of axes. */
const BELOW = 78;
const LEGEND = 50;
const NOTHING = Object.freeze({
  type: "scatter",
  x: [null],
  y: [null],
  showlegend: false,
  hoverinfo: "skip",
});
/** Blank pixels above the first row, and between rows: room for a panel's title and the numbers below the one above. */
const GAP = 62;

/**
 * Small multiples of one kind, four beside each other. More than twelve come in pages, chosen from a menu: the pages share
 * their axes, and choosing one shows its traces alone.
 */
export function smallMultiples(
  title: string,
  panels: readonly Panel[],
  axes: { readonly x: Readonly<Record<string, unknown>>; readonly y: Readonly<Record<string, unknown>> },
  more: Readonly<Record<string, unknown>> = {},
): Figure {
  const pages = Array.from({ length: Math.ceil(panels.length / PER_PAGE) }, (_, page) =>
    panels.slice(page * PER_PAGE, (page + 1) * PER_PAGE),
  );
  const columns = Math.min(COLUMNS, Math.max(1, panels.length));
  const drawn = pages.flatMap((page, index) =>
    page.flatMap(({ front, back = [] }, cell) => [
      // An axis without a trace is none, and nothing can lie over it.
      ...(back.length > 0 ? back : [NOTHING]).map((trace) => on(trace, cell + 1, cell + 1, index)),
      ...front.map((trace) => on(trace, cell + 1, cell + 1 + PER_PAGE, index)),
    ]),
  );
  const data = drawn.map(({ trace, page }) => ({ ...trace, visible: page === 0 }));
  const top = pages.length > 1 ? 112 : 84;
  const laidOut = (page: readonly Panel[]): Record<string, unknown> => {
    const rows = Math.max(1, Math.ceil(page.length / columns));
    return {
      ...grid(page.length, columns, rows, axes),
      annotations: titles(page),
      height: rows * ROW_HEIGHT + top + BELOW,
      legend: { orientation: "h", x: 0, xanchor: "left", y: -LEGEND / (rows * ROW_HEIGHT), yanchor: "top" },
    };
  };
  const menu = {
    type: "dropdown",
    x: 1,
    xanchor: "right",
    y: 1,
    yanchor: "bottom",
    pad: { b: 34 },
    buttons: pages.map((page, index) => ({
      label: `${page[0]!.title} … ${page.at(-1)!.title}`,
      method: "update",
      args: [{ visible: drawn.map((one) => one.page === index) }, { annotations: titles(page) }],
    })),
  };
  return {
    data,
    layout: layout(title, ROW_HEIGHT, {
      ...laidOut(pages[0] ?? []),
      // Pages share their axes on a screen; a picture of one alone has a layout of its own (stills.ts).
      ...(pages.length > 1 && { updatemenus: [menu], meta: { pages: pages.map(laidOut) } }),
      margin: { l: 64, r: 20, t: top, b: BELOW },
      ...more,
    }),
  };
}

function on(trace: Readonly<Record<string, unknown>>, x: number, y: number, page: number) {
  return { trace: { ...trace, xaxis: `x${x}`, yaxis: `y${y}` }, page };
}

/** The page on which panel number `index` stands. */
export function pageOf(index: number): number {
  return Math.floor(index / PER_PAGE);
}

/** Two vertical axes lie on each other in every cell; the one that overlays is drawn in front. */
function grid(
  shown: number,
  columns: number,
  rows: number,
  axes: { readonly x: Readonly<Record<string, unknown>>; readonly y: Readonly<Record<string, unknown>> },
): Record<string, unknown> {
  const wide = 1 / columns;
  const gap = GAP / (rows * ROW_HEIGHT);
  const high = (1 - (rows - 1) * gap) / rows;
  const placed: Record<string, unknown> = {};
  for (let cell = 0; cell < shown; cell++) {
    const column = cell % columns;
    const row = Math.floor(cell / columns);
    const n = cell + 1;
    const { title: xTitle, ...x } = axes.x;
    const { title: yTitle, ...y } = axes.y;
    const lowest = cell + columns >= shown;
    const domain = [column * wide, (column + 1) * wide - (column === columns - 1 ? 0 : 0.05)];
    const top = 1 - row * (high + gap);
    placed[`xaxis${n}`] = { ...x, domain, anchor: `y${n}`, ...(lowest && { title: xTitle }) };
    placed[`yaxis${n}`] = {
      domain: [Math.max(0, top - high), top],
      anchor: `x${n}`,
      visible: false,
      rangemode: "tozero",
    };
    placed[`yaxis${n + PER_PAGE}`] = {
      ...y,
      tickmode: "auto",
      overlaying: `y${n}`,
      side: "left",
      anchor: `x${n}`,
      ...(column === 0 && { title: yTitle }),
    };
  }
  return placed;
}

function titles(page: readonly Panel[]): Record<string, unknown>[] {
  return page.map(({ title }, cell) => ({
    text: fitting(title),
    xref: `x${cell + 1} domain`,
    yref: `y${cell + 1} domain`,
    x: 0,
    y: 1.02,
    xanchor: "left",
    yanchor: "bottom",
    align: "left",
    showarrow: false,
    font: { size: 11 },
  }));
}

/** Characters that a panel's width holds. */
const WIDTH = 27;

/** A title in its panel's width: what is chosen goes on a line of its own, and of a longer name the end is shown. */
function fitting(title: string): string {
  const [name, chosen] = title.split(" · ") as [string, string?];
  const shown = name.length > WIDTH ? `…${name.slice(1 - WIDTH)}` : name;
  if (chosen === undefined) return shown;
  const short = `${name} · ${chosen.replaceAll(/<[^>]*>/g, "")}`.length <= WIDTH;
  return short ? title : `${shown}<br>${chosen}`;
}
