import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { escapeHtml } from "../table.js";
import type { Figure } from "./panels.js";

/** The look of a report: one column, tables that scroll by themselves, and a plain page on paper. */
const CSS = `
:root { --ink: #222; --faint: #666; --line: #ddd; --accent: #0072B2; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #f5f6f8; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main { max-width: 1180px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 32px; }
h1 { margin: 0 0 8px; font-size: 28px; line-height: 1.2; }
h2 { margin: 0 0 16px; font-size: 20px; border-bottom: 2px solid var(--accent); padding-bottom: 6px; }
h3 { margin: 24px 0 4px; font-size: 16px; }
header p, section > p { color: var(--faint); max-width: 80ch; margin: 8px 0; }
section { background: #fff; border: 1px solid var(--line); border-radius: 8px; padding: 24px; margin: 24px 0; overflow-x: auto; }
table { border-collapse: collapse; margin: 12px 0; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 14px 5px 0; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--faint); font-weight: 600; vertical-align: bottom; }
.number { text-align: right; }
tbody tr:hover { background: #f0f6fa; }
figure { margin: 8px 0 24px; }
details { margin: 12px 0; }
summary { cursor: pointer; color: var(--accent); }
pre { font-size: 12px; overflow-x: auto; background: #f5f6f8; padding: 12px; border-radius: 6px; }
@media print {
  body { background: #fff; }
  section { border: 0; padding: 0; overflow: visible; }
  figure { break-inside: avoid; }
}
`;

/** Draws every figure from the JSON inside it. */
const DRAW = `
for (const element of document.querySelectorAll("figure")) {
  const figure = JSON.parse(element.querySelector("script").textContent);
  element.textContent = "";
  Plotly.newPlot(element, figure.data, figure.layout, { responsive: true, displaylogo: false });
}
`;

/** A figure's place on a page, with its data. */
export const drawing = (figure: Figure, index: number): string =>
  `<figure id="figure-${index}" style="height:${figure.layout.height}px"><script type="application/json">${json(figure)}</script></figure>`;

/** One HTML file: a title, paragraphs of text under it, and the sections of `body`; with what draws figures where there are any. */
export function page(title: string, notes: readonly string[], body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
<style>${CSS}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1>
${notes.map((note) => `<p>${escapeHtml(note)}</p>`).join("\n")}
</header>
<main>
${body}
</main>
${body.includes("<figure") ? `<script>${plotly()}</script>\n<script>${DRAW}</script>\n` : ""}</body>
</html>
`;
}

/** JSON that may stand inside a script element. */
function json(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

function plotly(): string {
  const path = createRequire(import.meta.url).resolve("plotly.js-dist-min/plotly.min.js");
  return readFileSync(path, "utf8").replaceAll("</script", "<\\/script");
}
