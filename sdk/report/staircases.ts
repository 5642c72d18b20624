import type { SchemeName } from "../staircase/schemes.js";
import type { Staircase } from "../staircase/staircase.js";
import { type Figure, type Panel, smallMultiples } from "./panels.js";
import { axis, SCHEME_COLOURS } from "./style.js";

/** What of a quantized node is drawn. */
export interface DrawnNode {
  readonly id: string;
  readonly scheme: SchemeName;
  readonly bits: number;
  readonly staircase: Staircase;
}

const BINS = 60;

/**
 * The staircase of every node, one small plot each, over the histogram of the values it quantizes: horizontally the value
 * x, vertically Q(x). A node without an entry in `values` shows its staircase alone.
 *
 * @example
 * const { data, layout } = staircases(quantized.nodes, { "conv1/kernel": weights });
 */
export function staircases(
  title: string,
  nodes: readonly DrawnNode[],
  values: Readonly<Record<string, ArrayLike<number>>> = {},
): Figure {
  const panels = nodes.map((node): Panel => {
    const own = values[node.id];
    const [low, high] = extent(node.staircase, own);
    const { thresholds, levels } = node.staircase;
    const inside = [...thresholds].map((t) => Math.min(high, Math.max(low, t)));
    return {
      title: `${node.id} · <b>${node.scheme} ${node.bits}</b>`,
      back: own ? [histogram(own, low, high)] : [],
      front: [
        {
          type: "scatter",
          mode: "lines",
          x: [low, ...inside, high].map(short),
          y: [...levels, levels.at(-1)!].map(short),
          line: { shape: "hv", color: SCHEME_COLOURS[node.scheme], width: 2 },
          hovertemplate: "x %{x:.4g}<br>Q(x) %{y:.4g}<extra></extra>",
          showlegend: false,
        },
      ],
    };
  });
  const axes = {
    x: axis("value x", { showgrid: false, nticks: 5 }),
    y: axis("quantized value Q(x)", { showgrid: false, nticks: 5, zeroline: false }),
  };
  return smallMultiples(title, panels, axes, { bargap: 0, showlegend: false });
}

/** The range of the values; without any, half as far again as the thresholds and levels reach. */
function extent({ thresholds, levels }: Staircase, values?: ArrayLike<number>): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  const drawn: ArrayLike<number> = values && values.length > 0 ? values : [...thresholds, ...levels];
  for (let i = 0; i < drawn.length; i++) {
    low = Math.min(low, drawn[i]!);
    high = Math.max(high, drawn[i]!);
  }
  const margin = (high - low) * (values ? 0.02 : 0.25) || Math.abs(high) || 1;
  return [low - margin, high + margin];
}

function histogram(values: ArrayLike<number>, low: number, high: number): Record<string, unknown> {
  const width = (high - low) / BINS;
  const counts = new Array<number>(BINS).fill(0);
  for (let i = 0; i < values.length; i++) {
    counts[Math.min(BINS - 1, Math.floor((values[i]! - low) / width))]! += 1;
  }
  return {
    type: "bar",
    x: counts.map((_, bin) => short(low + (bin + 0.5) * width)),
    y: counts.map((count) => short((100 * count) / values.length)),
    width: short(width),
    marker: { color: "#cfd6dd", line: { width: 0 } },
    hovertemplate: "%{y:.3g} % of values near %{x:.4g}<extra></extra>",
    showlegend: false,
  };
}

/** Five significant digits are more than a screen resolves, and half the bytes. */
function short(value: number): number {
  return Number(value.toPrecision(5));
}
