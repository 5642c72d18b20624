import type { MimeBundle } from "../display.js";
import type { Figure } from "./panels.js";
import { hasStill, renderPng } from "./render.js";

/** Pixels of the still picture for one of the figure: sharp enough for print, and half the bytes of two. */
const SCALE = 1.5;

/** Whether `value` is what plotly draws: a list of traces, and a layout. */
export function isFigure(value: object): boolean {
  const { data, layout, ...others } = value as Partial<Figure>;
  return (
    Array.isArray(data) &&
    data.every((trace) => typeof trace === "object" && trace !== null) &&
    typeof layout === "object" &&
    layout !== null &&
    Object.keys(others).every((key) => ["config", "frames"].includes(key))
  );
}

/** A figure for front ends that draw plotly's, and a still picture, where it has one, for those that do not. */
export async function figureBundle(figure: Figure): Promise<MimeBundle> {
  const { data, layout } = figure;
  const title = titleOf(layout);
  const count = `${data.length} trace${data.length === 1 ? "" : "s"}`;
  return {
    "application/vnd.plotly.v1+json": { data, layout },
    ...(hasStill(figure) && {
      "image/png": (await renderPng({ data, layout }, { scale: SCALE })).toString("base64"),
    }),
    "text/plain": title ? `Figure "${title}" (${count})` : `Figure (${count})`,
  };
}

function titleOf({ title }: Figure["layout"]): string | undefined {
  if (typeof title === "string") return title;
  const text = (title as { readonly text?: unknown } | undefined)?.text;
  return typeof text === "string" ? text : undefined;
}
