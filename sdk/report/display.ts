import { inspect } from "node:util";
import { DISPLAY, type MimeBundle, showsOtherwise, showWith } from "../display.js";
import { escapeHtml } from "../table.js";
import { assignmentBundle, isAssignment, isScore, scoreBundle } from "./displayDecisions.js";
import { figureBundle, isFigure } from "./displayFigure.js";
import { frameBundle, isFrame } from "./displayFrame.js";
import { isRun, runBundle } from "./displayRun.js";
import { isStaircase, staircaseBundle } from "./displayStaircase.js";
import { isTensor, tensorBundle } from "./displayTensor.js";

/** One kind of value: how it is known, by its shape alone, and how it shows itself. */
interface Kind {
  is(value: object): boolean;
  bundle(value: never): MimeBundle | Promise<MimeBundle>;
}

/**
 * Everything that shows itself as more than text; the first kind that fits shows it.
 *
 * The package's own values carry the method `Symbol.for("Jupyter.display")`, which asks this table, so that they show
 * themselves in every kernel that knows it. Plain data (scores, assignments) and values of other libraries carry none: a
 * kernel that calls `bundleOf` shows them too.
 */
const KINDS: readonly Kind[] = [
  { is: isRun, bundle: runBundle },
  { is: isStaircase, bundle: staircaseBundle },
  { is: isFigure, bundle: figureBundle },
  { is: isTensor, bundle: tensorBundle },
  { is: isFrame, bundle: frameBundle },
  { is: isScore, bundle: scoreBundle },
  { is: isAssignment, bundle: assignmentBundle },
  { is: hasHtml, bundle: htmlBundle },
  { is: isTabled, bundle: tabledBundle },
  { is: isPlan, bundle: planBundle },
  { is: isLayersModel, bundle: layersBundle },
  { is: printsItself, bundle: printedBundle },
];

/**
 * `value` in the forms by which a notebook shows it: always `text/plain`, for most values of this package, of tfjs and of
 * danfo `text/html`, for plotly's figures `application/vnd.plotly.v1+json` with a still picture beside it.
 *
 * @example
 * const { "text/html": html } = await bundleOf(schemes.clip.fit([-1, 0, 2], 2));
 */
export async function bundleOf(value: unknown): Promise<MimeBundle> {
  if ((typeof value === "object" || typeof value === "function") && value !== null) {
    if (showsOtherwise(value)) return value[DISPLAY]();
    const kind = typeof value === "object" ? KINDS.find(({ is }) => is(value)) : undefined;
    if (kind) return kind.bundle(value as never);
  }
  return { "text/plain": inspect(value, { maxArrayLength: 20, maxStringLength: 10_000 }) };
}

showWith(bundleOf);

function hasHtml(value: object): boolean {
  return typeof (value as { toHtml?: unknown }).toHtml === "function";
}

/** Long tables scroll: one of a thousand layers must not push the next cell out of reach. */
function htmlBundle(value: { toHtml(): string }): MimeBundle {
  return {
    "text/plain": String(value),
    "text/html": `<div style="max-height:36em;overflow:auto">${value.toHtml()}</div>`,
  };
}

/** A quantized graph. */
function isTabled(value: object): boolean {
  const { table, forward } = value as { table?: unknown; forward?: unknown };
  return typeof table === "function" && typeof forward === "function";
}

function tabledBundle(graph: { table(): { toHtml(): string } }): MimeBundle {
  return htmlBundle(graph.table());
}

function isPlan(value: object): boolean {
  const { graph, generate } = value as { graph?: unknown; generate?: unknown };
  return typeof generate === "function" && typeof graph === "object" && graph !== null && isTabled(graph);
}

/** What the plan works on: of its own it has nothing to show before it runs. */
function planBundle({ graph }: { graph: Parameters<typeof tabledBundle>[0] }): MimeBundle {
  const line = "A plan: nothing is computed before generate() or run(). It works on this graph:";
  const { "text/plain": text, "text/html": html } = tabledBundle(graph);
  return { "text/plain": `${line}\n\n${text}`, "text/html": `<p>${line}</p>\n${html}` };
}

function isLayersModel(value: object): boolean {
  const { summary, layers } = value as { summary?: unknown; layers?: unknown };
  return typeof summary === "function" && Array.isArray(layers);
}

/** What tfjs prints of a model. */
function layersBundle(model: {
  summary(length?: number, positions?: number[], print?: (line: string) => void): void;
}): MimeBundle {
  const lines: string[] = [];
  model.summary(undefined, undefined, (line) => lines.push(line));
  return printedBundle(lines.join("\n"));
}

/** A value with a text of its own, as the package's tables have. */
function printsItself(value: object): boolean {
  return Object.hasOwn(value, "toString");
}

function printedBundle(value: object | string): MimeBundle {
  const text = String(value);
  return {
    "text/plain": text,
    "text/html": `<pre style="max-height:36em;overflow:auto">${escapeHtml(text)}</pre>`,
  };
}
