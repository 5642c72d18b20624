import type { MimeBundle } from "../display.js";
import { asHtml, asText, escapeHtml, type Table, table } from "../table.js";
import type { PolicyRow } from "../train/policy.js";
import type { AnyRun, Score, SearchRun } from "../train/run.js";
import { curvesOf, decisionsOf } from "./displayDecided.js";
import { assignmentTable } from "./displayDecisions.js";
import { nodesOfRows } from "./overTime.js";
import { STAGES } from "./style.js";
import { traceOf } from "./traces.js";

/** Whether `value` is what a stage returned. */
export function isRun(value: object): boolean {
  const { kind, history, assignment, snapshot } = value as Partial<AnyRun>;
  return (
    kind !== undefined &&
    kind in STAGES &&
    history !== undefined &&
    assignment !== undefined &&
    snapshot !== undefined
  );
}

/** What a stage did and how it went, its most telling drawing, what it compared, and what now stands at every node. */
export function runBundle(run: AnyRun): MimeBundle {
  const { history, validation, assignment } = run;
  const { title } = STAGES[run.kind];
  const compared = comparisonOf(run);
  const recorded = { history, rows: rowsOf(run), of: history.steps };
  const score = validation
    ? `; on validation loss ${validation.loss.toFixed(4)} nat, accuracy ${(100 * validation.accuracy).toFixed(2)} %`
    : "";
  const line = `${history.steps} steps in ${history.seconds.toFixed(0)} s${score}`;
  const nodes = assignmentTable(assignment, run.kind === "learn" ? run.learned : {});
  const name = `${title[0]!.toUpperCase()}${title.slice(1)}`;
  return {
    "text/plain": [`${name}: ${line}`, ...(compared ? [asText(compared)] : []), asText(nodes)].join("\n\n"),
    "text/html": [
      `<p><b>${name}</b>: ${escapeHtml(line)}</p>`,
      curvesOf(recorded),
      decisionsOf(recorded),
      compared ? asHtml(compared) : "",
      `<details><summary>${Object.keys(assignment).length} nodes</summary><div style="max-height:36em;overflow:auto">${asHtml(nodes)}</div></details>`,
    ].join("\n"),
  };
}

/** What each row of the stage's own parameter decided. */
function rowsOf(run: AnyRun): readonly PolicyRow[] {
  if (run.history.steps === 0 || run.kind === "tune") return [];
  return run.kind === "search" ? searchRows(run) : run.nodes.map((name) => ({ name, candidates: [] }));
}

function searchRows(run: SearchRun): readonly PolicyRow[] {
  return nodesOfRows(run, traceOf(run, "theta")).map(({ nodes }) => ({
    name: nodes.length === 1 ? nodes[0]! : `${nodes[0]} and ${nodes.length - 1} more`,
    candidates: run.candidates[nodes[0]!]!,
  }));
}

/** The assignments that the stage tried, and which it kept; nothing where there was no choice. */
function comparisonOf(run: AnyRun): Table | undefined {
  if (run.kind === "tune") return undefined;
  const tried: readonly { readonly name: string; readonly validation?: Score }[] =
    run.kind === "search" ? run.trials : run.arms;
  if (tried.length < 2) return undefined;
  return table(tried, [
    { title: "tried", value: ({ name }) => name },
    { title: "validation loss", unit: "nat", digits: 4, value: ({ validation }) => validation?.loss },
    {
      title: "validation accuracy",
      unit: "%",
      digits: 2,
      value: ({ validation }) => validation && 100 * validation.accuracy,
    },
    { title: "", value: ({ name }) => (name === run.chosen ? "kept" : "") },
  ]);
}
