import type { SchemeName } from "../staircase/schemes.js";
import { type Table, table } from "../table.js";
import type { Figure } from "./panels.js";
import { axis, INK, listed, PALETTE, schemeFill } from "./style.js";

/** How the loss changes with one bit more, or less, at one node: nats, with the standard error. */
export interface SensitiveNode {
  readonly node: string;
  readonly scheme: SchemeName;
  readonly bits: number;
  readonly up?: { readonly loss: number; readonly error: number };
  readonly down?: { readonly loss: number; readonly error: number };
}

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

/** The same in numbers. */
export function sensitivityTable(rows: readonly SensitiveNode[]): Table {
  const change = (title: string, of: "up" | "down") => [
    { title, unit: "nat", digits: 4, value: ({ [of]: change }: SensitiveNode) => change?.loss },
    {
      title: `error, ${title}`,
      unit: "nat",
      digits: 4,
      value: ({ [of]: change }: SensitiveNode) => change?.error,
    },
  ];
  return table(rows, [
    { title: "node", value: ({ node }) => node },
    { title: "scheme", value: ({ scheme }) => scheme },
    { title: "bits", value: ({ bits }) => bits },
    ...change("one bit less", "down"),
    ...change("one bit more", "up"),
  ]);
}
