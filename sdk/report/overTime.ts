import type { Candidate } from "../train/policy.js";
import type { AnyRun, LearnRun, SearchRun, Trace } from "../train/run.js";
import { type Figure, type Panel, pageOf, smallMultiples } from "./panels.js";
import { axis, DASHES, INK, layout, line, SCHEME_COLOURS, SIDES, STAGES } from "./style.js";
import { rowAt, smoothed, softmax, steps, traceOf } from "./traces.js";

/**
 * The weights p = softmax(theta) of every node's candidates at each step of a scheme search: one small plot per node, a
 * colour for each scheme, a dash for each candidate, the same in every plot.
 */
export function thetaOverTime(run: SearchRun): Figure {
  const trace = traceOf(run, "theta");
  const at = steps(run.history.steps);
  const named = new Set<string>();
  const all = [...new Set(run.nodes.flatMap((node) => run.candidates[node]!.map(nameOf)))];
  const panels = nodesOfRows(run, trace).map(({ nodes, start }, index): Panel => {
    const candidates = run.candidates[nodes[0]!]!;
    const p = at.map((step) => softmax(rowAt(trace, step).subarray(start, start + candidates.length)));
    const front = candidates.map((candidate, i) => {
      const name = nameOf(candidate);
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
        line: {
          color: SCHEME_COLOURS[candidate.scheme],
          dash: DASHES[all.indexOf(name) % DASHES.length],
          width: 1.6,
        },
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

const nameOf = ({ scheme, bits }: Candidate): string => `${scheme} ${bits}`;

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
  const most = Math.max(...SIDES.map(({ kind }) => run.nodes.filter((node) => kindOf(node) === kind).length));
  // Each panel's names stand below it, one a line; beside it they would run into the next panel.
  const below = 70 + 15 * most;
  const legend = { orientation: "v", xanchor: "left", y: -0.2, yanchor: "top", font: { size: 10 } };
  return {
    data,
    layout: layout("Precision learning: real bitwidths before rounding", 370 + below, {
      margin: { l: 60, r: 20, t: 60, b: below },
      xaxis: axis("step", { domain: [0, 0.46] }),
      xaxis2: axis("step", { domain: [0.54, 1], anchor: "y2" }),
      yaxis: axis("bitwidth b of weights (bit)", { rangemode: "tozero" }),
      yaxis2: axis("bitwidth b of inputs (bit)", { anchor: "x2", rangemode: "tozero" }),
      legend: { ...legend, x: 0 },
      legend2: { ...legend, x: 0.54 },
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

/** Stage values name nodes alone; the name says what it is. */
function kindOf(node: string): "weight" | "input" {
  return /\/input(:\d+)?$/.test(node) ? "input" : "weight";
}

/**
 * The nodes that share logits, and where in a row of the trace theta [rows, width] these start. Without a row for each
 * node, the final logits tell which one a node reads.
 */
export function nodesOfRows(
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
