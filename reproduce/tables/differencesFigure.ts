import type { Effect, Figure } from "../../sdk/index.js";
import { axis, INK, listed, PALETTE } from "../../sdk/report/style.js";
import { isClear } from "./paired.js";

interface Difference {
  readonly name: string;
  readonly effect: Effect;
}

/**
 * A row that lies farther out than so many times what the median row reaches, interval included, is left out of the axis: one
 * collapse would hide all other differences.
 */
const FAR = 3;

/**
 * Differences to one method as points on a line each, with their confidence intervals, beside zero. Filled points are those
 * whose interval leaves out zero. A row that lies far outside of most is written at the edge instead of drawn.
 */
export function differencesFigure(title: string, unit: string, rows: readonly Difference[]): Figure {
  const most = FAR * median(rows.map(({ effect }) => reach(effect)));
  const far = rows.filter(({ effect }) => Math.abs(effect.mean) > most);
  const near = rows.filter((row) => !far.includes(row));
  const kinds = [
    { name: "interval leaves out zero", symbol: "circle", own: near.filter(({ effect }) => isClear(effect)) },
    {
      name: "interval holds zero",
      symbol: "circle-open",
      own: near.filter(({ effect }) => !isClear(effect)),
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
      {
        xaxis: axis(unit, { zeroline: true, zerolinecolor: INK, zerolinewidth: 1 }),
        showlegend: true,
        annotations: far.map(atEdge),
      },
    ),
  };
}

/** The number of a row that lies beyond the axis, and to which side. */
function atEdge({ name, effect: { mean } }: Difference) {
  const side = mean < 0 ? "left" : "right";
  const text = mean < 0 ? `◂ ${mean.toFixed(1)}` : `${mean.toFixed(1)} ▸`;
  return {
    ...{ xref: "paper", x: mean < 0 ? 0 : 1, xanchor: side, yref: "y", y: name, yanchor: "middle" },
    ...{ text, showarrow: false, font: { size: 11, color: INK } },
  };
}

const reach = ({ mean, low, high }: Effect): number =>
  Math.max(...[mean, low ?? mean, high ?? mean].map(Math.abs));

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
}
