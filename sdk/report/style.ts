import type { SchemeName } from "../staircase/schemes.js";

/** Okabe and Ito's palette: distinct for every kind of colour vision, and as grey values in print. */
export const PALETTE = [
  "#0072B2",
  "#E69F00",
  "#009E73",
  "#D55E00",
  "#CC79A7",
  "#56B4E9",
  "#000000",
  "#B7A600",
] as const;

/** Dashes that tell lines of one colour apart. */
export const DASHES = ["solid", "dash", "dot", "dashdot", "longdash"] as const;

/** The same colour for a scheme in every figure. */
export const SCHEME_COLOURS: Readonly<Record<SchemeName, string>> = {
  lsq: "#999999",
  clip: "#0072B2",
  zoom: "#E69F00",
  residual: "#009E73",
  ternary: "#D55E00",
  pot: "#CC79A7",
  fixed: "#56B4E9",
  binary: "#000000",
  quaternary: "#B7A600",
};

export const STAGES = {
  search: { title: "scheme search", colour: "#0072B2" },
  learn: { title: "precision learning", colour: "#E69F00" },
  tune: { title: "fine-tuning", colour: "#009E73" },
} as const;

/** Colour and dash of line number `index`: 40 lines before one repeats. */
export function line(index: number): { color: string; dash: string; width: number } {
  return {
    color: PALETTE[index % PALETTE.length]!,
    dash: DASHES[Math.floor(index / PALETTE.length) % DASHES.length]!,
    width: 1.8,
  };
}

export const INK = "#222222";
const GRID = "#e6e6e6";

/** An axis with a title, faint grid and outside ticks. */
export function axis(title: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    title: { text: title, standoff: 8 },
    gridcolor: GRID,
    zerolinecolor: "#bbbbbb",
    linecolor: "#888888",
    ticks: "outside",
    tickcolor: "#bbbbbb",
    automargin: true,
    ...more,
  };
}

/** What all figures have in common. */
export function layout(
  title: string,
  height: number,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    title: {
      text: title,
      x: 0,
      xref: "paper",
      xanchor: "left",
      y: 1,
      yref: "container",
      yanchor: "top",
      pad: { t: 12 },
      font: { size: 16 },
    },
    font: { family: "system-ui, -apple-system, 'Segoe UI', sans-serif", size: 12, color: INK },
    paper_bgcolor: "#ffffff",
    plot_bgcolor: "#ffffff",
    height,
    margin: { l: 60, r: 20, t: 64, b: 56 },
    hovermode: "closest",
    legend: { orientation: "h", x: 0, xanchor: "left", y: -0.12, yanchor: "top" },
    ...more,
  };
}

/** Weights and inputs are drawn side by side, or one above the other, on axes of their own. */
export const SIDES = [
  { kind: "weight", x: "x", y: "y" },
  { kind: "input", x: "x2", y: "y2" },
] as const;
