import { type Table, table } from "../table.js";
import type { Figure } from "./panels.js";
import { axis, listed, PALETTE } from "./style.js";

/** Of one tensor on its way through the quantized network: errors as shares of the root mean square of its values. */
export interface LayerErrorRow {
  readonly node: string;
  /** Between the tensor and its own quantized values; absent where it is not quantized. */
  readonly rounding?: number;
  /** Between the tensor and the one in the floating-point network. */
  readonly arriving: number;
}

const ERRORS = [
  { of: "arriving", name: "against the FP32 network", symbol: "circle", color: PALETTE[0] },
  { of: "rounding", name: "of its own quantizer", symbol: "diamond-open", color: PALETTE[3] },
] as const;

/**
 * The relative error of what every layer receives, in the order of the network: how far it is from the same tensor in the
 * floating-point network, and how much the quantizer that stands there adds.
 *
 * @example
 * const { data, layout } = errorPerLayer(await quantized.errors(model, data.test));
 */
export function errorPerLayer(rows: readonly LayerErrorRow[]): Figure {
  const data = ERRORS.flatMap(({ of, name, symbol, color }) => {
    const own = rows.flatMap(({ node, [of]: error }) => (error === undefined ? [] : [{ node, error }]));
    if (own.length === 0) return [];
    return [
      {
        type: "scatter",
        mode: "markers",
        name,
        y: own.map(({ node }) => node),
        x: own.map(({ error }) => 100 * error),
        marker: { symbol, size: 9, color, line: { width: 1.5, color } },
        hovertemplate: `%{y}, ${name}: %{x:.3g} %<extra></extra>`,
      },
    ];
  });
  const names = rows.map(({ node }) => node);
  return {
    data,
    layout: listed("Error of what every layer receives", names, {
      xaxis: axis("relative error, root mean square (%)", { rangemode: "tozero" }),
    }),
  };
}

/** The same in numbers. */
export function errorTable(rows: readonly LayerErrorRow[]): Table {
  const percent = (share: number | undefined): number | undefined => share && 100 * share;
  return table(rows, [
    { title: "node", value: ({ node }) => node },
    { title: "against FP32", unit: "%", digits: 2, value: ({ arriving }) => percent(arriving) },
    { title: "of its quantizer", unit: "%", digits: 2, value: ({ rounding }) => percent(rounding) },
  ]);
}
