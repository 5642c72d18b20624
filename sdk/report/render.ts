import { AutoqnnError } from "../errors.js";
import type { DrawingPage } from "./drawingPage.js";
import type { Figure } from "./panels.js";

/** The size of a still picture in pixels: the figure's own where it has one, 900 by 450 otherwise. */
export interface StillSize {
  readonly width?: number;
  readonly height?: number;
}

const WIDTH = 900;
const HEIGHT = 450;
/** Pixels of a PNG for each of the SVG: sharp on dense screens, and in print at half a page's width. */
const SCALE = 2;

/** The kinds of trace that plotly draws as SVG alone. All others ask for WebGL, for maps, or for lengths of curves. */
const DRAWN = new Set(
  [
    [
      "scatter",
      "bar",
      "box",
      "histogram",
      "histogram2d",
      "heatmap",
      "contour",
      "image",
      "waterfall",
      "funnel",
    ],
    ["pie", "treemap", "sunburst", "icicle", "sankey", "parcats", "table", "indicator", "scatterpolar"],
  ].flat(),
);

let opened: Promise<DrawingPage> | undefined;
let last: Promise<unknown> = Promise.resolve();

/**
 * A figure as SVG text, drawn by plotly without a browser. The same figure gives the same text on every machine: sizes of
 * text come from a font that is shipped, and the names of parts from a fixed sequence. Menus and buttons are left out.
 *
 * Throws AutoqnnError `bad-option` on a size that is not positive, and on traces that need more than SVG.
 *
 * @example
 * await writeFile("theta.svg", await renderSvg(thetaOverTime(searched)));
 */
export async function renderSvg(figure: Figure, size: StillSize = {}): Promise<string> {
  const {
    width = positive(figure.layout.width) ?? WIDTH,
    height = positive(figure.layout.height) ?? HEIGHT,
  } = size;
  for (const [name, value] of Object.entries({ width, height })) check(name, value);
  checkTypes(figure);
  // One after another: the names of parts would depend on what is drawn meanwhile.
  const drawn = last.then(async () => {
    opened ??= import("./drawingPage.js").then(({ openDrawingPage }) => openDrawingPage());
    const { FONT_FAMILY } = await import("./textSize.js");
    const { plotly, reseed } = await opened;
    reseed();
    const { updatemenus, sliders, ...layout } = figure.layout;
    const font = { ...(layout.font as object | undefined), family: FONT_FAMILY };
    // Plotly writes into what it is given.
    const own = structuredClone({ data: figure.data, layout: { ...layout, font } });
    return plotly.toImage(own, { format: "svg", width, height, imageDataOnly: true });
  });
  last = drawn.catch(() => undefined);
  return drawn;
}

/**
 * A figure as a PNG of `scale` (default 2) times as many pixels as its SVG has: `renderSvg`, drawn on white.
 *
 * Throws AutoqnnError `bad-option` as `renderSvg` does.
 *
 * @example
 * await writeFile("theta.png", await renderPng(thetaOverTime(searched), { width: 1200 }));
 */
export async function renderPng(
  figure: Figure,
  { scale = SCALE, ...size }: StillSize & { readonly scale?: number } = {},
): Promise<Buffer> {
  check("scale", scale);
  return pngOf(await renderSvg(figure, size), scale);
}

/** SVG text that `renderSvg` gave as a PNG on white, with `scale` pixels for each of its own. */
export async function pngOf(svg: string, scale = SCALE): Promise<Buffer> {
  const [{ renderAsync }, { FONT_FILES }] = await Promise.all([
    import("@resvg/resvg-js"),
    import("./textSize.js"),
  ]);
  const image = await renderAsync(svg, {
    background: "#ffffff",
    fitTo: { mode: "zoom", value: scale },
    font: { fontFiles: [...FONT_FILES], loadSystemFonts: false, defaultFontFamily: "DejaVu Sans" },
  });
  return image.asPng();
}

function check(name: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected a positive ${name} of the picture, received ${value}.`,
    "Give the size in pixels.",
  );
}

/** Whether a figure can be drawn as a still picture: it needs no more than SVG. */
export function hasStill(figure: Figure): boolean {
  return undrawn(figure) === undefined;
}

function undrawn({ data }: Figure): unknown {
  return data.map(({ type = "scatter" }) => type).find((type) => !DRAWN.has(type as string));
}

function checkTypes(figure: Figure): void {
  const other = undrawn(figure);
  if (other === undefined) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected traces of the types ${[...DRAWN].join(", ")}, received ${String(other)}.`,
    "Draw this figure in a browser: it needs more than SVG.",
  );
}

function positive(value: unknown): number | undefined {
  return typeof value === "number" && value > 0 ? value : undefined;
}
