import type { Effect, Figure } from "../../sdk/index.js";
import { axis, INK, listed, PALETTE } from "../../sdk/report/style.js";
import { isClear } from "./paired.js";

/**
 * Differences to one method as points on a line each, with their confidence intervals, beside zero. Filled points are those
 * whose interval leaves out zero.
 */
export function differencesFigure(
  title: string,
  unit: string,
  rows: readonly { readonly name: string; readonly effect: Effect }[],
): Figure {
  const kinds = [
    { name: "interval leaves out zero", symbol: "circle", own: rows.filter(({ effect }) => isClear(effect)) },
    {
      name: "interval holds zero",
      symbol: "circle-open",
      own: rows.filter(({ effect }) => !isClear(effect)),
    },
  ];
  const data = kinds
    .filter(({ own }) => own.length > 0)
    .map(({ name, symbol, own }) => ({
      type: "scatter",
      mode: "markers",
      name,
      y: own.map((row) => row.name),
      x: own.map(({ effect }) => effect.mean),
      error_x: {
        type: "data",
        symmetric: false,
        array: own.map(({ effect }) => (effect.high ?? effect.mean) - effect.mean),
        arrayminus: own.map(({ effect }) => effect.mean - (effect.low ?? effect.mean)),
        color: PALETTE[0],
        ...{ thickness: 1.2, width: 4 },
      },
      marker: { symbol, size: 9, color: PALETTE[0], line: { color: PALETTE[0], width: 1.5 } },
      hovertemplate: "%{y}: %{x:.2f} points<extra></extra>",
    }));
  return {
    data,
    layout: listed(
      title,
      rows.map(({ name }) => name),
      { xaxis: axis(unit, { zeroline: true, zerolinecolor: INK, zerolinewidth: 1 }), showlegend: true },
    ),
  };
}
