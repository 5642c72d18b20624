import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Resvg } from "@resvg/resvg-js";

/** How a run of text is set: the size in pixels. */
export interface TextStyle {
  readonly size: number;
  readonly bold: boolean;
  readonly italic: boolean;
}

/** The font of all still pictures. Verdana has the same metrics, where a viewer of the SVG lacks the first. */
export const FONT_FAMILY = "DejaVu Sans, Verdana, sans-serif";

/** The files of that font, which come with the package, so that a picture looks the same on every machine. */
export const FONT_FILES: readonly string[] = ["", "-Bold", "-Oblique", "-BoldOblique"].map((face) =>
  join(
    dirname(createRequire(import.meta.url).resolve("dejavu-fonts-ttf/package.json")),
    `ttf/DejaVuSans${face}.ttf`,
  ),
);

/** How far the font reaches above and below the base line, as a share of its size (the table hhea of the font). */
export const ASCENT = 1901 / 2048;
export const DESCENT = 483 / 2048;

/** Widths are measured at this size and scaled. */
const MEASURED_AT = 100;
const known = new Map<string, number>();

/**
 * The advance width of `text` in pixels: measured by the library that will draw it, between two bars, since a drawing ends
 * where its ink does.
 */
export function textWidth(text: string, style: TextStyle): number {
  return ((barred(text, style) - barred("", style)) * style.size) / MEASURED_AT;
}

function barred(text: string, { bold, italic }: TextStyle): number {
  const face = `${bold ? ' font-weight="bold"' : ""}${italic ? ' font-style="italic"' : ""}`;
  const key = `${face}|${text}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"><text xml:space="preserve" font-family="DejaVu Sans" font-size="${MEASURED_AT}"${face}>|${escaped}|</text></svg>`;
  const files = [FONT_FILES[(bold ? 1 : 0) + (italic ? 2 : 0)]!];
  const drawn = new Resvg(svg, { font: { fontFiles: files, loadSystemFonts: false } }).getBBox();
  const width = drawn?.width ?? 0;
  known.set(key, width);
  return width;
}
