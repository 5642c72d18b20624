import { notebook } from "./display.js";
import { type OnProgress, terminalProgress } from "./train/progress.js";

/** Where stages show their progress that were not told where: a live panel in a notebook, else the terminal. */
export async function defaultProgress(): Promise<OnProgress> {
  const served = notebook();
  if (!served) return terminalProgress();
  const { livePanel } = await import("./report/live.js");
  return livePanel(served);
}
