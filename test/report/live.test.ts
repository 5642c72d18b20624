import { beforeEach, expect, test, vi } from "vitest";
import type { MimeBundle } from "../../sdk/display.js";
import { livePanel } from "../../sdk/report/live.js";
import type { Progress, StageView } from "../../sdk/train/progress.js";
import type { LearnRun, SearchRun } from "../../sdk/train/run.js";
import { synthetic } from "./synthetic.js";

/** A notebook that remembers what it was told to show. */
function listening() {
  const told: {
    readonly how: "display" | "update";
    readonly id: string | undefined;
    readonly bundle: MimeBundle;
  }[] = [];
  let cell = new AbortController();
  return {
    told,
    html: () => String(told.at(-1)!.bundle["text/html"]),
    text: () => String(told.at(-1)!.bundle["text/plain"]),
    nextCell: () => {
      cell = new AbortController();
    },
    served: {
      display: (bundle: MimeBundle, id?: string) => void told.push({ how: "display", id, bundle }),
      update: (bundle: MimeBundle, id: string) => void told.push({ how: "update", id, bundle }),
      get signal() {
        return cell.signal;
      },
    },
  };
}

const { runs } = synthetic();
const [search, learn] = runs as [SearchRun, LearnRun];

/** Reports of a stage of `steps` steps. */
function stage(name: string, view?: () => StageView, steps = 300): (step: number, more?: object) => Progress {
  return (step, more) => ({
    ...{ stage: name, step, steps, epoch: 1, epochs: 2, loss: 0.5, accuracy: 0.8, speed: 1234, eta: 61 },
    ...(view && { view }),
    ...more,
  });
}

const rowsOf = (run: SearchRun | LearnRun): StageView["rows"] =>
  run.nodes.map((name) => ({ name, candidates: run.kind === "search" ? run.candidates[name]! : [] }));
const viewOf = (run: SearchRun | LearnRun, spent: StageView["spent"] = []) => {
  const view: StageView = { history: run.history, rows: rowsOf(run), spent };
  return () => view;
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});

test("one panel is replaced in place, at most four times a second, and always at the end", () => {
  const { told, served, html } = listening();
  const show = livePanel(served);
  const report = stage("search schemes");
  for (let step = 1; step < 300; step++) {
    show(report(step));
    vi.advanceTimersByTime(10);
  }
  expect(told.length).toBeGreaterThan(5);
  expect(told.length).toBeLessThanOrEqual(13);
  show(report(300));
  expect(html()).toContain("step 300 of 300");
  expect(told.map(({ how }) => how)).toEqual(["display", ...Array(told.length - 1).fill("update")]);
  expect(new Set(told.map(({ id }) => id)).size).toBe(1);
});

test("says where the stage stands", () => {
  const { served, text } = listening();
  livePanel(served)(stage("learn precision")(40));
  expect(text()).toContain("learn precision: epoch 1 of 2, step 40 of 300, 1,234 examples/s, 1:01 left");
  expect(text()).toContain("loss 0.500 nat, accuracy 80.0 %");
});

test("draws theta of every node while schemes are searched, and bitwidths against the budget while they are learned", () => {
  const { served, html } = listening();
  const show = livePanel(served);
  show(stage("search schemes", viewOf(search))(300));
  for (const node of search.nodes) expect(html()).toContain(`>${node}<`);
  const spent = [{ name: "average bits of weights", unit: "bits on average", used: 2.5, limit: 2 }];
  show(stage("learn precision", viewOf(learn, spent))(100));
  const last = learn.history.traces.bits!.data.at(-1)!;
  expect(html()).toContain(`${last.toFixed(2)} bit<`);
  expect(html()).toContain("2.5 of 2 bits on average, 125 %: too much");
  expect(html()).toContain("<summary>search schemes: as it ended</summary>");
});

test("a stage that was interrupted says so, and the next run in another cell has a panel of its own", () => {
  const { told, served, html, nextCell } = listening();
  const show = livePanel(served);
  const view = viewOf(search);
  show(stage("search schemes", view)(10));
  show(stage("search schemes", view)(11, { ended: "interrupted" }));
  expect(html()).toContain("interrupted after step 11 of 300");
  nextCell();
  show(stage("search schemes", viewOf(search))(11));
  expect(told.map(({ how }) => how)).toEqual(["display", "update", "display"]);
  expect(new Set(told.map(({ id }) => id)).size).toBe(2);
});

test("work that goes on while another cell runs keeps its panel", () => {
  const { told, served, nextCell } = listening();
  const show = livePanel(served);
  const view = viewOf(search);
  show(stage("search schemes", view)(1));
  nextCell();
  show(stage("fine-tune", viewOf(learn))(1));
  show(stage("search schemes", view)(300));
  expect(told.map(({ id }) => told.findIndex((first) => first.id === id))).toEqual([0, 1, 0]);
});

test("what is sent stays below 100 KB, for large networks and for many stages", () => {
  const { runs } = synthetic({ repeat: 12 });
  const { told, served } = listening();
  const show = livePanel(served);
  for (let round = 0; round < 10; round++)
    for (const run of runs.slice(0, 2) as [SearchRun, LearnRun])
      show(stage(`${run.kind} ${round}`, viewOf(run))(300));
  for (const { bundle } of told) expect(JSON.stringify(bundle).length).toBeLessThan(100_000);
});

test("needs no script and no style sheet", () => {
  const { served, html } = listening();
  livePanel(served)(stage("search schemes", viewOf(search))(300));
  expect(html()).not.toMatch(/<script|<style|<link|https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
});
