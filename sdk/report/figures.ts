import { AutoqnnError } from "../errors.js";
import type { AnyRun, LearnRun, SearchRun, Trace } from "../train/run.js";
import { type Figure, type Panel, pageOf, smallMultiples } from "./panels.js";
import type { DrawnNode } from "./staircases.js";
import { axis, DASHES, INK, layout, line, SCHEME_COLOURS, STAGES } from "./style.js";

export { staircases } from "./staircases.js";
export type { Figure };

/** A line has at most so many points; a screen shows no more. */
const POINTS = 200;

/**
 * The weights p = softmax(theta) of every node's candidates at each step of a scheme search: one small plot per node, a
 * colour for each scheme, a dash for each bitwidth.
 */
export function thetaOverTime(run: SearchRun): Figure {
  const trace = traceOf(run, "theta");
  const at = steps(run.history.steps);
  const named = new Set<string>();
  const panels = groups(run, trace).map(({ nodes, start }, index): Panel => {
    const candidates = run.candidates[nodes[0]!]!;
    const p = at.map((step) => softmax(rowAt(trace, step).subarray(start, start + candidates.length)));
    const front = candidates.map(({ scheme, bits }, i) => {
      const name = `${scheme} ${bits}`;
      const rank = candidates.slice(0, i).filter((other) => other.scheme === scheme).length;
      // The menu of pages hides all traces of the other pages, so each page names its lines anew.
      const key = `${pageOf(index)} ${name}`;
      const showlegend = !named.has(key);
      named.add(key);
      return {
        type: "scatter",
        mode: "lines",
        name,
        legendgroup: name,
        showlegend,
        x: at.map((step) => step + 1),
        y: p.map((row) => Number(row[i]!.toFixed(4))),
        line: { color: SCHEME_COLOURS[scheme], dash: DASHES[rank % DASHES.length], width: 1.6 },
        hovertemplate: `${name}: %{y:.3f} at step %{x}<extra></extra>`,
      };
    });
    const chosen = run.assignment[nodes[0]!];
    const title = nodes.length === 1 ? nodes[0]! : `${nodes[0]} and ${nodes.length - 1} more`;
    return { title: chosen ? `${title} · <b>${chosen.scheme} ${chosen.bits}</b>` : title, front };
  });
  return smallMultiples("Scheme search: the weight of every candidate", panels, {
    x: axis("step", { nticks: 4 }),
    y: axis("p = softmax(theta)", { range: [0, 1.02], nticks: 4 }),
  });
}

/** The real bitwidth b of every node at each step of precision learning: weights on the left, inputs on the right. */
export function bitsOverTime(run: LearnRun): Figure {
  const trace = traceOf(run, "bits");
  const at = steps(run.history.steps);
  const data = SIDES.flatMap(({ kind, x, y }, side) =>
    run.nodes
      .filter((node) => kindOf(node) === kind)
      .map((node, index) => ({
        type: "scatter",
        mode: "lines",
        name: node,
        legend: side === 0 ? "legend" : "legend2",
        x: at.map((step) => step + 1),
        y: at.map((step) => Number(rowAt(trace, step)[run.nodes.indexOf(node)]!.toFixed(4))),
        line: line(index),
        xaxis: x,
        yaxis: y,
        hovertemplate: `${node}: %{y:.2f} bit at step %{x}<extra></extra>`,
      })),
  );
  const legend = { orientation: "v", xanchor: "left", y: 1, yanchor: "top", font: { size: 10 } };
  return {
    data,
    layout: layout("Precision learning: real bitwidths before rounding", 460, {
      xaxis: axis("step", { domain: [0, 0.32] }),
      xaxis2: axis("step", { domain: [0.54, 0.86], anchor: "y2" }),
      yaxis: axis("bitwidth b of weights (bit)", { rangemode: "tozero" }),
      yaxis2: axis("bitwidth b of inputs (bit)", { anchor: "x2", rangemode: "tozero" }),
      legend: { ...legend, x: 0.33 },
      legend2: { ...legend, x: 0.87 },
    }),
  };
}

/**
 * The final bitwidth of every node as a bar in the colour of its scheme, in the order of the network: weights above,
 * inputs below. Diamonds are the real bitwidths `learned` before rounding, dashed lines the averages over all values.
 */
export function bitsPerNode(
  nodes: readonly (DrawnNode & { readonly kind: "weight" | "input"; readonly elements: number })[],
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
        marker: { color: SCHEME_COLOURS[scheme] },
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

/**
 * Loss and accuracy of the training batches through all stages, one after another: exponentially smoothed over a fiftieth
 * of a stage. Diamonds are the scores on the validation split after a stage.
 */
export function lossOverTime(runs: readonly AnyRun[]): Figure {
  let before = 0;
  const data = runs.flatMap((run) => {
    const start = before;
    before += run.history.steps;
    const { title, colour } = STAGES[run.kind];
    const at = steps(run.history.steps);
    const curve = (
      values: ArrayLike<number>,
      factor: number,
      side: (typeof SIDES)[number],
      unit: string,
    ) => ({
      type: "scatter",
      mode: "lines",
      name: title,
      legendgroup: run.kind,
      showlegend: side.kind === "weight",
      x: at.map((step) => start + step + 1),
      y: at.map((step) => Number((factor * smoothed(values)[step]!).toPrecision(5))),
      line: { color: colour, width: 1.8 },
      hovertemplate: `${title}: %{y:.4g} ${unit} at step %{x}<extra></extra>`,
      xaxis: side.x,
      yaxis: side.y,
    });
    const point = (value: number, side: (typeof SIDES)[number], unit: string) => ({
      type: "scatter",
      mode: "markers",
      name: `validation after ${title}`,
      legendgroup: run.kind,
      showlegend: side.kind === "weight",
      x: [before],
      y: [value],
      marker: { symbol: "diamond", size: 10, color: colour, line: { color: INK, width: 1 } },
      hovertemplate: `validation: %{y:.4g} ${unit}<extra></extra>`,
      xaxis: side.x,
      yaxis: side.y,
    });
    const [left, right] = SIDES;
    const { validation, history } = run;
    return [
      curve(history.loss, 1, left, "nat"),
      curve(history.accuracy, 100, right, "%"),
      ...(validation
        ? [point(validation.loss, left, "nat"), point(100 * validation.accuracy, right, "%")]
        : []),
    ];
  });
  return {
    data,
    layout: layout("Training through all stages", 440, {
      xaxis: axis("step", { domain: [0, 0.46] }),
      yaxis: axis("loss (nat)"),
      xaxis2: axis("step", { domain: [0.54, 1], anchor: "y2" }),
      yaxis2: axis("accuracy (%)", { anchor: "x2" }),
      legend: { orientation: "h", x: 0, y: -0.2, yanchor: "top" },
    }),
  };
}

/** Weights and inputs are drawn side by side, or one above the other, on axes of their own. */
const SIDES = [
  { kind: "weight", x: "x", y: "y" },
  { kind: "input", x: "x2", y: "y2" },
] as const;

/** Stage values name nodes alone; the name says what it is. */
function kindOf(node: string): "weight" | "input" {
  return /\/input(:\d+)?$/.test(node) ? "input" : "weight";
}

function traceOf(run: SearchRun | LearnRun, name: string): Trace {
  const trace = run.history.traces[name];
  if (trace) return trace;
  throw new AutoqnnError(
    "bad-option",
    `Expected the trace "${name}" in the history of the stage, received ${Object.keys(run.history.traces).join(", ") || "none"}.`,
    "Draw the value that the stage returned.",
  );
}

/**
 * The nodes that share logits, and where in a row of the trace theta [rows, width] these start. Without a row for each
 * node, the final logits tell which one a node reads.
 */
function groups(
  run: SearchRun,
  trace: Trace,
): { readonly nodes: readonly string[]; readonly start: number }[] {
  const [rows = 0, width = 0] = trace.row;
  if (rows === run.nodes.length) return run.nodes.map((node, row) => ({ nodes: [node], start: row * width }));
  const last = rowAt(trace, run.history.steps - 1);
  return Array.from({ length: rows }, (_, row) => {
    const start = row * width;
    const reads = (node: string): boolean => run.theta[node]!.every((value, i) => value === last[start + i]);
    return { nodes: run.nodes.filter(reads), start };
  }).filter(({ nodes }) => nodes.length > 0);
}

function rowAt({ row, data }: Trace, step: number): Float32Array {
  const length = row.reduce((product, dimension) => product * dimension, 1);
  return data.subarray(step * length, (step + 1) * length);
}

/** At most `POINTS` step numbers, evenly spread, the first and the last among them. */
function steps(count: number): number[] {
  const points = Math.min(count, POINTS);
  return Array.from({ length: points }, (_, i) => Math.round((i * (count - 1)) / Math.max(1, points - 1)));
}

function softmax(theta: Float32Array): number[] {
  const largest = Math.max(...theta);
  const e = Array.from(theta, (value) => Math.exp(value - largest));
  const sum = e.reduce((total, value) => total + value, 0);
  return e.map((value) => value / sum);
}

function smoothed(values: ArrayLike<number>): number[] {
  const kept = 1 - 1 / Math.max(1, values.length / 50);
  let mean = values[0] ?? 0;
  return Array.from(values, (value) => {
    mean = kept * mean + (1 - kept) * value;
    return mean;
  });
}

function weightedMean(pairs: readonly (readonly [value: number, weight: number])[]): number {
  const total = pairs.reduce((sum, [, weight]) => sum + weight, 0);
  return pairs.reduce((sum, [value, weight]) => sum + value * weight, 0) / total;
}
