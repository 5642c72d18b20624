import type { Figure } from "./panels.js";
import type { SensitiveNode } from "./sensitivityTable.js";
import { axis, INK, listed, PALETTE, schemeFill } from "./style.js";

const CHANGES = [
  { of: "down", name: "one bit less", symbol: "triangle-left", color: PALETTE[3] },
  { of: "up", name: "one bit more", symbol: "triangle-right-open", color: PALETTE[0] },
] as const;

/**
 * The bitwidth of every node beside what a bit at it is worth: on the left bars in the colour of the scheme, on the right
 * the change of the loss with one bit less and with one bit more, with one standard error. Nodes are in the given order.
 *
 * @example
 * const { data, layout } = bitsAgainstSensitivity((await learned.sensitivity()).rows);
 */
export function bitsAgainstSensitivity(rows: readonly SensitiveNode[]): Figure {
  const bars = [...new Set(rows.map(({ scheme }) => scheme))].map((scheme) => {
    const own = rows.filter((row) => row.scheme === scheme);
    return {
      type: "bar",
      orientation: "h",
      name: scheme,
      y: own.map(({ node }) => node),
      x: own.map(({ bits }) => bits),
      marker: schemeFill(scheme),
      hovertemplate: `%{y}: ${scheme} %{x} bit<extra></extra>`,
    };
  });
  const points = CHANGES.flatMap(({ of, name, symbol, color }) => {
    const own = rows.flatMap(({ node, [of]: change }) => (change ? [{ node, ...change }] : []));
    if (own.length === 0) return [];
    return [
      {
        type: "scatter",
        mode: "markers",
        name,
        y: own.map(({ node }) => node),
        x: own.map(({ loss }) => loss),
        error_x: { type: "data", array: own.map(({ error }) => error), color, thickness: 1.2, width: 3 },
        marker: { symbol, size: 9, color, line: { width: 1.5, color } },
        xaxis: "x2",
        hovertemplate: `%{y}, ${name}: %{x:.4f} nat<extra></extra>`,
      },
    ];
  });
  return {
    data: [...bars, ...points],
    layout: listed(
      "Bitwidth of every node, and what a bit is worth there",
      rows.map(({ node }) => node),
      {
        barmode: "overlay",
        bargap: 0.3,
        xaxis: axis("bitwidth (bit)", { domain: [0, 0.42], dtick: 1, rangemode: "tozero" }),
        xaxis2: axis("change of loss (nat)", {
          ...{ domain: [0.48, 1], anchor: "y", zeroline: true, zerolinecolor: INK },
        }),
      },
    ),
  };
}
