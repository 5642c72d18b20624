import type { MimeBundle } from "../display.js";
import { asHtml, asText, escapeHtml, type Table, table } from "../table.js";
import type { Progress } from "../train/progress.js";
import { bar, usage } from "./displayCharts.js";
import { curvesOf, decisionsOf, type Recorded } from "./displayDecided.js";
import { STAGES } from "./style.js";

/** One stage in a panel. */
export interface Drawn {
  /** Whether more is to come. */
  readonly open: boolean;
  readonly last: Progress;
  /** Of `performance.now()`. */
  readonly began: number;
  readonly seconds: number;
  /** Curves, what was decided, and the budget, as HTML. */
  readonly drawing: string;
  /** Whether it decides something: then its drawing is kept when it has ended. */
  readonly decides: boolean;
}

/** Bytes of drawings of stages that have ended: older ones are left out. */
const KEPT = 60_000;

/** Lines for stages that have ended. */
const LINES = 12;

/** A stage of which this is the first report. */
export function startedNow(progress: Progress): Drawn {
  return { open: true, last: progress, began: performance.now(), seconds: 0, drawing: "", decides: false };
}

/** The stage after a report, drawn: what is recorded is the stage's own, and is read now. */
export function withProgress({ began, drawing }: Drawn, progress: Progress): Drawn {
  const view = progress.view?.();
  const recorded: Recorded | undefined = view && {
    history: view.history,
    rows: view.rows,
    of: progress.steps,
  };
  return {
    open: progress.ended === undefined && progress.step < progress.steps,
    last: progress,
    began,
    seconds: (performance.now() - began) / 1000,
    decides: (view?.rows.length ?? 0) > 0,
    drawing: recorded
      ? [curvesOf(recorded), decisionsOf(recorded), budgetOf(view?.spent ?? [])].join("\n")
      : drawing,
  };
}

/** The panel: the stages that go on (else the last) in full, those before as lines, and what they decided to be unfolded. */
export function panelBundle(stages: readonly Drawn[]): MimeBundle {
  const open = stages.filter((stage) => stage.open);
  const front = open.length > 0 ? open : stages.slice(-1);
  const before = stages.filter((stage) => !front.includes(stage));
  const ended = before.length > 0 ? endedTable(before) : undefined;
  let bytes = 0;
  const folded = before
    .toReversed()
    .filter(({ drawing, decides }) => {
      bytes += decides ? drawing.length : 0;
      return decides && bytes <= KEPT;
    })
    .toReversed()
    .map(
      ({ last, drawing }) =>
        `<details><summary>${escapeHtml(last.stage)}: as it ended</summary>${drawing}</details>`,
    );
  return {
    "text/plain": [...front.map(lineOf), ...(ended ? [asText(ended)] : [])].join("\n"),
    "text/html": `<div style="max-width:720px;line-height:1.4">${[
      ...front.map(frontOf),
      ...(ended ? [asHtml(ended)] : []),
      ...folded,
    ].join("\n")}</div>`,
  };
}

function frontOf(stage: Drawn): string {
  const { last, drawing } = stage;
  const percent = ((100 * last.step) / last.steps).toFixed(1);
  const colour = last.ended ? "#D55E00" : STAGES.search.colour;
  return `<div><b>${escapeHtml(last.stage)}</b> ${bar(percent, colour)} ${escapeHtml(detailsOf(stage))}</div>\n${drawing}`;
}

function lineOf(stage: Drawn): string {
  const { stage: name, loss, accuracy } = stage.last;
  return `${name}: ${detailsOf(stage)}, loss ${loss.toFixed(3)} nat, accuracy ${(100 * accuracy).toFixed(1)} %`;
}

function detailsOf({ open, last, seconds }: Drawn): string {
  const { step, steps, epoch, epochs, speed, eta, ended } = last;
  if (ended) return `${ended} after step ${count(step)} of ${count(steps)}, ${clock(seconds)}`;
  const at = `step ${count(step)} of ${count(steps)}`;
  const time = open ? `${clock(eta)} left` : `done in ${clock(seconds)}`;
  return `epoch ${epoch} of ${epochs}, ${at}, ${count(Math.round(speed))} examples/s, ${time}`;
}

function endedTable(stages: readonly Drawn[]): Table {
  const shown = stages.slice(-LINES);
  const more = stages.length - shown.length;
  return table(shown, [
    { title: more > 0 ? `before (and ${more} more)` : "before", value: ({ last }) => last.stage },
    { title: "steps", value: ({ last }) => last.step },
    { title: "time", value: ({ seconds }) => clock(seconds) },
    { title: "loss", unit: "nat", digits: 3, value: ({ last }) => last.loss },
    { title: "accuracy", unit: "%", digits: 1, value: ({ last }) => 100 * last.accuracy },
    { title: "", value: ({ last }) => last.ended ?? "" },
  ]);
}

function budgetOf(spent: readonly { name: string; unit: string; used: number; limit: number }[]): string {
  if (spent.length === 0) return "";
  return `<div style="margin:.3em 0">Budget, used by the bitwidths of this step</div>${spent
    .map(({ name, used, limit, unit }) => usage(name, used, limit, unit))
    .join("")}`;
}

const count = (value: number): string => value.toLocaleString("en-US");

function clock(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [minutes, rest] = [Math.floor(whole / 60), String(whole % 60).padStart(2, "0")];
  return minutes < 60
    ? `${minutes}:${rest}`
    : `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}
