import type { Figure } from "../../../sdk/report/figures.js";
import { axis, layout, PALETTE } from "../../../sdk/report/style.js";
import type { Outcome, Turns } from "./interleave.js";
import type { Machine } from "./machine.js";
import { candidateMethod, METHODS, type Method } from "./methods.js";
import { type Network, small } from "./networks.js";
import { SPACES } from "./stages.js";

interface Panel {
  readonly id: "candidates" | "batch" | "depth";
  readonly title: string;
  readonly axis: string;
  readonly xs: readonly number[];
  points(x: number): readonly { readonly method: Method; readonly network: Network }[];
}

const DEPTH = 20;
const method = (id: string): Method => METHODS.find((row) => row.id === id)!;
const FP32 = method("fp32");
const COMPARED = [method("one-scheme"), method("qss")];
const on = (network: Network) => [FP32, ...COMPARED].map((row) => ({ method: row, network }));

export const PANELS: readonly Panel[] = [
  {
    id: "candidates",
    title: "Candidates, ResNet20, batch 64",
    axis: "candidates at every node",
    xs: Object.keys(SPACES).map(Number),
    points: (count) => [FP32, candidateMethod(count)].map((row) => ({ method: row, network: small(DEPTH) })),
  },
  {
    id: "batch",
    title: "Batch size, ResNet20",
    axis: "batch size",
    xs: [16, 32, 64, 128],
    points: (batch) => on(small(DEPTH, batch)),
  },
  {
    id: "depth",
    title: "Depth, batch 64",
    axis: "layers",
    xs: [8, 14, 20, 32],
    points: (depth) => on(small(depth)),
  },
];

/** The key of a point among the outcomes of its panel. FP32 on one network is one worker, however often it is compared. */
export const keyOf = (row: Method, network: Network): string => `${row.id} on ${network.id}`;

/** What one run of the curves measured: outcomes by panel and `keyOf`. */
export interface Curves {
  readonly date: string;
  readonly machine: Machine;
  readonly turns: Turns;
  readonly panels: Readonly<Record<string, Readonly<Record<string, Outcome>>>>;
}

/** Cost of a step relative to FP32, three panels beside each other. */
export function costFigure({ panels }: Curves): Figure {
  const drawn = PANELS.filter(({ id }) => panels[id]);
  const width = 1 / drawn.length;
  const data = drawn.flatMap((panel, index) => {
    const names = panel.id === "candidates" ? ["mixture"] : COMPARED.map(({ title }) => title);
    return names.map((name, line) => ({
      type: "scatter",
      mode: "lines+markers",
      name,
      legendgroup: name,
      showlegend:
        index === drawn.findIndex(({ id }) => (id === "candidates") === (panel.id === "candidates")),
      xaxis: `x${index + 1}`,
      yaxis: `y${index + 1}`,
      line: { color: PALETTE[panel.id === "candidates" ? COMPARED.length : line], width: 2 },
      x: panel.xs,
      y: panel.xs.map((x) => relative(panel, x, line + 1, panels[panel.id]!)),
    }));
  });
  const domains = drawn.map((_, index) => [index * width + 0.02, (index + 1) * width - 0.02] as const);
  const axes = drawn.flatMap((panel, index) => {
    const domain = domains[index];
    const ticks = { type: "log", tickvals: panel.xs, ticktext: panel.xs.map(String) };
    return [
      [`xaxis${index + 1}`, axis(panel.axis, { domain, anchor: `y${index + 1}`, ...ticks })],
      [
        `yaxis${index + 1}`,
        axis(index === 0 ? "step / FP32 step" : "", {
          anchor: `x${index + 1}`,
          rangemode: "tozero",
          ...(index > 0 && { matches: "y" }),
        }),
      ],
    ] as const;
  });
  const annotations = drawn.map(({ title: text }, index) => ({
    ...{ text, showarrow: false, xref: "paper", yref: "paper", yanchor: "bottom", y: 1.02 },
    x: (domains[index]![0] + domains[index]![1]) / 2,
    xanchor: "center",
  }));
  return {
    data,
    layout: layout("Cost of a training step relative to floating point", 420, {
      ...Object.fromEntries(axes),
      annotations,
      legend: { orientation: "h", y: -0.25 },
      margin: { l: 64, r: 20, t: 84, b: 100 },
    }),
  };
}

/** The cost of point number `which` at `x`, whose number 0 is FP32; null leaves a gap. */
function relative(
  { points }: Panel,
  x: number,
  which: number,
  outcomes: Readonly<Record<string, Outcome>>,
): number | null {
  const at = points(x);
  const [base, row] = [at[0]!, at[which]!].map((point) => outcomes[keyOf(point.method, point.network)]);
  return base && row && "median" in base && "median" in row ? row.median / base.median : null;
}
