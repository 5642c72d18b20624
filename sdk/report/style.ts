import type { SchemeName } from "../staircase/schemes.js";

/**
 * Okabe and Ito's palette, with wine in the place of its yellow, which is too faint on white: distinct for every kind of
 * colour vision. In grey some are alike, so lines differ in their dashes too, and bars in their patterns.
 */
export const PALETTE = [
  "#0072B2",
  "#E69F00",
  "#009E73",
  "#D55E00",
  "#CC79A7",
  "#56B4E9",
  "#000000",
  "#882255",
] as const;

/** Dashes that tell lines apart without colour: lengths of lines and gaps. */
export const DASHES = [
  "solid",
  "8px,4px",
  "2px,3px",
  "8px,3px,2px,3px",
  "14px,4px",
  "10px,3px,2px,3px,2px,3px",
  "4px,4px",
] as const;

/** Symbols that tell points apart without colour: seven beside eight colours, so that 56 pairs come before one repeats. */
export const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down"] as const;

/** Colours of a quantity, from none to most: darker is more, in grey as well. */
export const SEQUENTIAL = [
  [0, "#f7fbff"],
  [0.25, "#c6dbef"],
  [0.5, "#6baed6"],
  [0.75, "#2171b5"],
  [1, "#08306b"],
] as const;

/** The same colour for a scheme in every figure. */
export const SCHEME_COLOURS: Readonly<Record<SchemeName, string>> = {
  lsq: "#777777",
  clip: "#0072B2",
  zoom: "#E69F00",
  residual: "#009E73",
  ternary: "#D55E00",
  pot: "#CC79A7",
  fixed: "#56B4E9",
  binary: "#000000",
  quaternary: "#882255",
};

/** The same pattern for the bars of a scheme in every figure. */
const SCHEME_PATTERNS: Readonly<Record<SchemeName, string>> = {
  lsq: "|",
  clip: "",
  zoom: "/",
  residual: "\\",
  ternary: "x",
  pot: ".",
  fixed: "-",
  binary: "",
  quaternary: "+",
};

/** How the bars of a scheme are filled. */
export function schemeFill(scheme: SchemeName): Record<string, unknown> {
  const pattern = {
    shape: SCHEME_PATTERNS[scheme],
    fillmode: "overlay",
    fgcolor: "#ffffff",
    size: 7,
    solidity: 0.2,
  };
  return { color: SCHEME_COLOURS[scheme], pattern };
}

export const STAGES = {
  search: { title: "scheme search", colour: "#0072B2" },
  learn: { title: "precision learning", colour: "#E69F00" },
  tune: { title: "fine-tuning", colour: "#009E73" },
} as const;

/** Colour and dash of line number `index`: neighbours differ in both, and 56 lines are drawn before one repeats. */
export function line(index: number): { color: string; dash: string; width: number } {
  return {
    color: PALETTE[index % PALETTE.length]!,
    dash: DASHES[index % DASHES.length]!,
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

/** Pixels of a line of a chart that has a line for every node. */
const LINE_HEIGHT = 20;

/**
 * Layout and vertical axis of a chart that has a line for every one of `names`, the first on top, which leaves room for long
 * names.
 */
export function listed(
  title: string,
  names: readonly string[],
  more: Record<string, unknown>,
): Record<string, unknown> {
  const order = { type: "category", categoryorder: "array", categoryarray: names, autorange: "reversed" };
  return layout(title, LINE_HEIGHT * names.length + 150, {
    yaxis: axis("", { ...order, ticks: "", showgrid: false, tickfont: { size: 11 } }),
    margin: { l: 60, r: 20, t: 84, b: 56 },
    legend: { orientation: "h", x: 0, xanchor: "left", y: 1, yanchor: "bottom" },
    ...more,
  });
}

/** Weights and inputs are drawn side by side, or one above the other, on axes of their own. */
export const SIDES = [
  { kind: "weight", x: "x", y: "y" },
  { kind: "input", x: "x2", y: "y2" },
] as const;
