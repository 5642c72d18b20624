import type * as Plotly from "plotly.js-dist-min";
import { DISPLAY, type Displayable, type MimeBundle } from "../../display.js";
import { render } from "./show.js";

/** A figure of plotly that shows itself. */
export interface PlotlyFigure extends Displayable {
  readonly data: readonly Partial<Plotly.Data>[];
  readonly layout: Partial<Plotly.Layout>;
}

/**
 * A figure of plotly (https://plotly.com/javascript/reference/): traces and their layout.
 *
 * @example
 * plotly([{ y: [3, 1, 2], type: "bar" }], { title: { text: "Bits" } })
 */
export function plotly(
  data: readonly Partial<Plotly.Data>[],
  layout: Partial<Plotly.Layout> = {},
): PlotlyFigure {
  const figure = { data, layout };
  return Object.defineProperty(figure, DISPLAY, {
    value: async (): Promise<MimeBundle> => ({
      "application/vnd.plotly.v1+json": figure,
      "text/plain": `A figure of plotly with ${data.length} trace${data.length === 1 ? "" : "s"}`,
      ...(await render({ ...figure })),
    }),
  }) as unknown as PlotlyFigure;
}
