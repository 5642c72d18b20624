import type { Figure } from "./panels.js";
import type { DrawnNode } from "./staircases.js";
import { axis, INK, layout, SIDES, schemeFill } from "./style.js";

/**
 * The final bitwidth of every node as a bar in the colour of its scheme, in the order of the network: weights above,
 * inputs below. Diamonds are the real bitwidths `learned` before rounding, dashed lines the averages over all values.
 */
export function bitsPerNode(
  nodes: readonly (Omit<DrawnNode, "staircase"> & {
    readonly kind: "weight" | "input";
    readonly elements: number;
  })[],
  learned: Readonly<Record<string, number>> = {},
): Figure {
  const drawn = SIDES.map((side) => ({ ...side, own: nodes.filter((node) => node.kind === side.kind) }));
  const named = new Set<string>();
  const once = (name: string): boolean => !named.has(name) && Boolean(named.add(name));
  const data = drawn.flatMap(({ own, x, y }) => {
    const bars = [...new Set(own.map((node) => node.scheme))].map((scheme) => {
      const same = own.filter((node) => node.scheme === scheme);
      return {
        type: "bar",
        name: scheme,
        legendgroup: scheme,
        showlegend: once(scheme),
        x: same.map((node) => node.id),
        y: same.map((node) => node.bits),
        marker: schemeFill(scheme),
        hovertemplate: `%{x}: ${scheme} %{y} bit<extra></extra>`,
        xaxis: x,
        yaxis: y,
      };
    });
    const real = own.filter((node) => learned[node.id] !== undefined);
    if (real.length === 0) return bars;
    const diamonds = {
      type: "scatter",
      mode: "markers",
      name: "learned b, before rounding",
      legendgroup: "learned",
      showlegend: once("learned"),
      x: real.map((node) => node.id),
      y: real.map((node) => learned[node.id]!),
      marker: { symbol: "diamond", size: 9, color: "#ffffff", line: { color: INK, width: 1.5 } },
      hovertemplate: "%{x}: learned %{y:.2f} bit<extra></extra>",
      xaxis: x,
      yaxis: y,
    };
    return [...bars, diamonds];
  });
  const averages = drawn
    .filter(({ own }) => own.length > 0)
    .map(({ own, x, y }) => ({ x, y, mean: weightedMean(own.map((node) => [node.bits, node.elements])) }));
  const category = (side: number) =>
    axis("", {
      type: "category",
      categoryorder: "array",
      categoryarray: drawn[side]!.own.map((node) => node.id),
      tickangle: -40,
      tickfont: { size: 10 },
    });
  const bits = (title: string, more: Record<string, unknown>) =>
    axis(title, { rangemode: "tozero", dtick: 1, ...more });
  return {
    data,
    layout: layout("Bitwidth and scheme of every node", 760, {
      barmode: "overlay",
      bargap: 0.25,
      xaxis: category(0),
      yaxis: bits("weights (bit)", { domain: [0.62, 1] }),
      xaxis2: { ...category(1), anchor: "y2" },
      yaxis2: bits("inputs (bit)", { domain: [0, 0.38], anchor: "x2" }),
      shapes: averages.map(({ x, y, mean }) => ({
        type: "line",
        xref: `${x} domain`,
        yref: y,
        x0: 0,
        x1: 1,
        y0: mean,
        y1: mean,
        line: { color: INK, width: 1, dash: "dash" },
      })),
      annotations: averages.map(({ x, y, mean }) => ({
        text: `average ${mean.toFixed(2)}`,
        xref: `${x} domain`,
        yref: y,
        x: 1,
        y: mean,
        xanchor: "left",
        xshift: 4,
        yanchor: "middle",
        showarrow: false,
        font: { size: 11 },
      })),
      margin: { l: 60, r: 90, t: 84, b: 90 },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    }),
  };
}

function weightedMean(pairs: readonly (readonly [value: number, weight: number])[]): number {
  const total = pairs.reduce((sum, [, weight]) => sum + weight, 0);
  return pairs.reduce((sum, [value, weight]) => sum + value * weight, 0) / total;
}
