import { randomUUID } from "node:crypto";
import type { Notebook } from "../display.js";
import type { OnProgress, Progress } from "../train/progress.js";
import { type Drawn, panelBundle, startedNow, withProgress } from "./livePanel.js";

/** At most four drawings a second. */
const LEAST_MILLISECONDS = 250;

/** Drawing may take this share of the time, so that training is not slowed. */
const SHARE = 0.05;

/** Bytes a second that a front end takes without falling behind, however it is connected. */
const BYTES_PER_SECOND = 200_000;

/** One panel: where it stands in the notebook, and what it shows. */
interface Panel {
  readonly id: string;
  readonly cell: AbortSignal;
  stages: readonly Drawn[];
  shown: boolean;
  /** Before this time nothing is drawn, but the end of a stage. */
  next: number;
}

/**
 * Draws progress in a notebook: one panel per cell, replaced in place, which stays in the notebook as it was at the end.
 * Stages of a run stand in it one after another; work that goes on while other cells run keeps its panel.
 */
export function livePanel(served: Notebook): OnProgress {
  let panels: readonly Panel[] = [];
  return (progress) => {
    const own = panels.find(({ stages }) =>
      stages.some((stage) => stage.open && isSame(stage.last, progress)),
    );
    const cell = served.signal;
    const panel = own ??
      panels.find((open) => open.cell === cell) ?? {
        ...{ id: randomUUID(), cell, stages: [], shown: false, next: 0 },
      };
    // Panels of cells that have ended are let go of, unless a stage still draws in them.
    panels = [...panels.filter((other) => other !== panel && other.stages.some(({ open }) => open)), panel];
    const begun = performance.now();
    const known = panel.stages.find((stage) => stage.open && isSame(stage.last, progress));
    const ends = progress.ended !== undefined || progress.step >= progress.steps;
    if (begun < panel.next && known && !ends) return;
    const stage = withProgress(known ?? startedNow(progress), progress);
    panel.stages = known
      ? panel.stages.map((other) => (other === known ? stage : other))
      : [...panel.stages, stage];
    const bundle = panelBundle(panel.stages);
    if (panel.shown) served.update(bundle, panel.id);
    else served.display(bundle, panel.id);
    panel.shown = true;
    const now = performance.now();
    const bytes = String(bundle["text/html"]).length;
    panel.next = now + Math.max(LEAST_MILLISECONDS, (now - begun) / SHARE, (1000 * bytes) / BYTES_PER_SECOND);
  };
}

/** Whether two reports are of one run of a stage: work without a view is told apart by its name, and by starting anew. */
function isSame(last: Progress, progress: Progress): boolean {
  if (last.view || progress.view) return last.view === progress.view;
  return last.stage === progress.stage && last.step <= progress.step;
}
