import type { Figure } from "../../sdk/index.js";
import { axis, INK, layout, line, SYMBOLS } from "../../sdk/report/style.js";
import type { Outcome } from "../experiment.js";
import { accuracy, type Group, type OverSeeds, overSeeds } from "./group.js";

/**
 * Test accuracy of every method against what its networks cost, a line a method and a point a budget: means over seeds, bars
 * one standard deviation of each. The dashed line is the network in floating point. Nothing where no outcome has a cost.
 */
export function budgetFigure(
  network: string,
  name: string,
  unit: string,
  cost: (outcome: Outcome) => number | undefined,
  groups: readonly Group[],
  floating: Group,
): { readonly name: string; readonly caption: string; readonly figure: Figure }[] {
  const methods = [...new Set(groups.map(({ method }) => method))];
  const lines = methods.flatMap((method, index) => {
    const points = groups
      .filter((group) => group.method === method)
      .flatMap((group) => {
        const [x, y] = [overSeeds(group, cost), overSeeds(group, accuracy)];
        return x && y ? [{ bits: group.bits, x, y }] : [];
      });
    return points.length > 0 ? [trace(method, index, points)] : [];
  });
  if (lines.length === 0) return [];
  const start = overSeeds(floating, accuracy);
  return [
    {
      name: `precision-${network}-${name}`,
      caption: `${network}: test accuracy against the ${unit.replace(/ \(.*\)$/, "")}. Points are budgets, means over seeds with bars of one standard deviation.`,
      figure: {
        data: lines,
        layout: layout(`Accuracy against ${name}, ${network}`, 460, {
          xaxis: axis(unit),
          yaxis: axis("test accuracy (%)"),
          legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
          margin: { l: 64, r: 110, t: 96, b: 56 },
          ...(start && floatingLine(start)),
        }),
      },
    },
  ];
}

function trace(
  name: string,
  index: number,
  points: readonly { readonly bits: number; readonly x: OverSeeds; readonly y: OverSeeds }[],
): Record<string, unknown> {
  const look = line(index);
  const bars = (array: readonly number[]) => ({
    type: "data",
    array,
    color: look.color,
    ...{ thickness: 1.2, width: 4 },
  });
  return {
    type: "scatter",
    mode: "lines+markers",
    name,
    x: points.map(({ x }) => x.mean),
    y: points.map(({ y }) => y.mean),
    text: points.map(({ bits }) => `${bits} bit`),
    error_x: bars(points.map(({ x }) => x.deviation)),
    error_y: bars(points.map(({ y }) => y.deviation)),
    line: look,
    marker: { symbol: SYMBOLS[index % SYMBOLS.length]!, size: 9, color: look.color },
    hovertemplate: `${name}, %{text}: %{y:.2f} % at %{x:.2f} KB<extra></extra>`,
  };
}

/** Where the network stands that was not quantized, whose cost would be far to the right. */
function floatingLine({ mean }: OverSeeds): Record<string, unknown> {
  const at = { xref: "paper", yref: "y" };
  return {
    shapes: [
      { ...at, type: "line", x0: 0, x1: 1, y0: mean, y1: mean, line: { color: INK, width: 1, dash: "dash" } },
    ],
    annotations: [
      {
        ...{ ...at, x: 1, y: mean, xanchor: "left", xshift: 6, yanchor: "middle", showarrow: false },
        text: `floating point<br>${mean.toFixed(2)} %`,
        align: "left",
        font: { size: 11 },
      },
    ],
  };
}
