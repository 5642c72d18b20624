import type { Figure } from "../../sdk/index.js";
import { axis, INK, listed, PALETTE } from "../../sdk/report/style.js";
import type { OverSeeds } from "./group.js";

/** What a method costs relative to training in floating point. */
export interface Ratios {
  readonly name: string;
  readonly ours: boolean;
  readonly seconds: OverSeeds | undefined;
  readonly memory: OverSeeds | undefined;
}

const SIDES = [
  { of: "seconds", x: "x", title: "time / floating point", domain: [0, 0.47] },
  { of: "memory", x: "x2", title: "peak memory / floating point", domain: [0.53, 1] },
] as const;

const KINDS = [
  { name: "others", ours: false, color: PALETTE[5], pattern: "" },
  { name: "this project", ours: true, color: PALETTE[0], pattern: "/" },
] as const;

/** Time and memory of the methods as bars beside each other, the cost of floating point a line at 1. Nothing without a time. */
export function ratiosFigure(
  network: string,
  rows: readonly Ratios[],
): { readonly name: string; readonly caption: string; readonly figure: Figure }[] {
  const known = rows.filter(({ seconds }) => seconds !== undefined);
  if (known.length === 0) return [];
  const data = SIDES.flatMap(({ of, x }) =>
    KINDS.map(({ name, ours, color, pattern }) => {
      const own = known.filter((row) => row.ours === ours && row[of] !== undefined);
      return {
        ...{ type: "bar", orientation: "h", name, legendgroup: name, showlegend: x === "x", xaxis: x },
        y: own.map((row) => row.name),
        x: own.map((row) => row[of]!.mean),
        error_x: {
          ...{ type: "data", array: own.map((row) => row[of]!.deviation) },
          ...{ color: INK, thickness: 1.2, width: 4 },
        },
        marker: {
          color,
          pattern: { shape: pattern, fillmode: "overlay", fgcolor: "#ffffff", size: 7, solidity: 0.2 },
        },
        hovertemplate: "%{y}: %{x:.2f}<extra></extra>",
      };
    }),
  );
  return [
    {
      name: `cost-${network}`,
      caption: `${network}: time and peak memory relative to training in floating point for as many steps, means over seeds with bars of one standard deviation.`,
      figure: {
        data,
        layout: listed(
          `Cost of search, ${network}`,
          known.map(({ name }) => name),
          {
            barmode: "overlay",
            bargap: 0.3,
            xaxis: axis(SIDES[0].title, { domain: SIDES[0].domain, rangemode: "tozero" }),
            xaxis2: axis(SIDES[1].title, { domain: SIDES[1].domain, rangemode: "tozero", anchor: "y" }),
            shapes: SIDES.map(({ x }) => ({
              ...{ type: "line", xref: x, yref: "paper", x0: 1, x1: 1, y0: 0, y1: 1 },
              line: { color: INK, width: 1, dash: "dash" },
            })),
          },
        ),
      },
    },
  ];
}
