import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as dfd from "danfojs-node";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { autoqnn } from "../../sdk/autoqnn.js";
import { type MimeBundle, serveNotebook } from "../../sdk/display.js";
import { engine, mergeStudies, readStudy, type Study, type StudyResult, study } from "../../sdk/index.js";
import type { KnownAxes } from "../../sdk/study/index.js";
import { blobData, smallNetwork } from "../plan/blobs.js";
import { AXES, tinyPlan } from "./tiny.js";

let directory: string;
const at = (name: string): string => join(directory, name);

beforeAll(async () => {
  await engine();
  directory = await mkdtemp(join(tmpdir(), "autoqnn-study-test-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const quiet = { onProgress: () => {} };
const silent = { onCell: () => {} };
/** What must be equal however a cell was computed: all but times, in any order. */
const outcome = ({ rows }: { readonly rows: readonly object[] }) =>
  rows
    .map((row) => Object.entries(row).filter(([name]) => !/seconds$|^finished$/i.test(name)))
    .map((row) => JSON.stringify(row))
    .toSorted();

describe("a grid", () => {
  const stages: string[] = [];
  let result: StudyResult<Pick<KnownAxes, "granularity" | "budget" | "seed">>;
  let grid: Study<Pick<KnownAxes, "granularity" | "budget" | "seed">>;

  beforeAll(async () => {
    const count = (progress: { stage: string; step: number }) => {
      if (progress.step === 1) stages.push(progress.stage);
    };
    const plan = autoqnn(smallNetwork(), { data: blobData(), batchSize: 32 })
      .searchSchemes({ steps: 3, trialSteps: 2, onProgress: count })
      .learnPrecision({ steps: 3, roundings: ["control"], onProgress: count })
      .fineTune({ steps: 3, reestimate: 2, onProgress: count });
    grid = study(plan).over(AXES);
    result = await grid.run(at("grid.sqlite"), silent);
  });

  it("has a row for every combination", () => {
    expect(result.rows).toHaveLength(8);
    expect(
      new Set(result.rows.map(({ granularity, budget, seed }) => `${granularity} ${budget} ${seed}`)).size,
    ).toBe(8);
    for (const row of result.rows) expect(row).toMatchObject({ state: "done", split: "test", examples: 96 });
    expect(result.pending).toBe(0);
  });

  it("keeps the budget of each", () => {
    for (const { budget, weightBits } of result.rows)
      expect(weightBits).toBeLessThanOrEqual(Number(/\d/.exec(budget)![0]));
  });

  it("runs a search that cells have in common once", () => {
    expect(stages.filter((stage) => stage === "search schemes")).toHaveLength(4);
    expect(stages.filter((stage) => stage === "fine-tune")).toHaveLength(8);
    expect(grid.cells).toHaveLength(8);
  });

  it("leaves no checkpoints and no lock when all is done", async () => {
    expect((await readdir(directory)).filter((name) => name.includes("grid"))).toEqual(["grid.sqlite"]);
  });

  it("is not run again, and reads back as it was", async () => {
    const before = stages.length;
    const again = await grid.run(at("grid.sqlite"), silent);
    expect(stages).toHaveLength(before);
    expect(again.rows).toEqual(result.rows);
    const read = await readStudy(at("grid.sqlite"));
    expect(read.rows).toEqual(result.rows);
    expect(read.assignment).toEqual(result.assignment);
  });

  it("goes into a data frame as it is", () => {
    const frame = new dfd.DataFrame([...result.rows]);
    expect(frame.shape).toEqual([8, Object.keys(result.rows[0]!).length]);
    expect(frame.column("accuracy").mean()).toBeCloseTo(
      result.rows.reduce((sum, { accuracy }) => sum + accuracy!, 0) / 8,
      5,
    );
  });

  it("is read by Python's sqlite3, by the query that the documentation gives", () => {
    const script = `
import json, sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.row_factory = sqlite3.Row
rows = [dict(r) for r in c.execute("SELECT * FROM results")]
bits = c.execute("SELECT AVG(a.bits) FROM assignment a JOIN results r USING (cell) WHERE r.budget = 'averageBits=2' AND a.kind = 'weight'").fetchone()[0]
print(json.dumps({"rows": rows, "bits": bits, "check": c.execute("PRAGMA integrity_check").fetchone()[0]}))`;
    const told = JSON.parse(execFileSync("python3", ["-c", script, at("grid.sqlite")], { encoding: "utf8" }));
    expect(told.check).toBe("ok");
    expect(told.rows.map(({ cell: _, ...row }: { cell: number }) => row)).toEqual(result.rows);
    expect(told.bits).toBeGreaterThanOrEqual(1);
    expect(told.bits).toBeLessThan(5);
  });

  it("tells effects over matching cells", () => {
    const [effect] = result.effects("budget", "packedBytes");
    expect(effect).toMatchObject({ from: "averageBits=2", to: "averageBits=4", n: 4, warning: null });
    expect(effect!.mean).toBeGreaterThan(0);
    expect(String(result)).toMatch(/granularity +layer +model +accuracy \(points\) +4/);
  });

  it("draws the frontier: seeds of one setting are one point", () => {
    const { data } = result.frontier();
    const means = (data as { name?: string; showlegend?: boolean }[]).filter(
      ({ name, showlegend }) => name?.startsWith("granularity=") && showlegend !== false,
    );
    expect(means.map(({ name }) => name)).toEqual(
      ["layer", "model"].flatMap((granularity) =>
        [2, 4].map((bits) => `granularity=${granularity}, budget=(averageBits=${bits})`),
      ),
    );
  });

  it("refuses to go on in the file of another study", async () => {
    const other = study(tinyPlan(smallNetwork(4))).over(AXES);
    await expect(other.run(at("grid.sqlite"), silent)).rejects.toThrow(/another plan and another model/);
    const fewer = study(tinyPlan()).over({ seed: [0] });
    await expect(fewer.run(at("grid.sqlite"), silent)).rejects.toThrow(
      /axes granularity, budget, seed \(not seed\)/,
    );
  });
});

describe("cells", () => {
  const cells = [
    { granularity: "layer" },
    { firstLast: 8, budget: { averageBits: 5 } },
    { candidates: ["clip", "pot"], seed: 3 },
  ] as const;

  it("may each set other axes; the rest is the plan's", async () => {
    const result = await study(tinyPlan()).cells(cells).run(at("cells.sqlite"), silent);
    expect(result.rows.map(({ message }) => message)).toEqual([null, null, null]);
    expect(result.rows.map(({ seed, firstLast }) => [seed, firstLast])).toEqual(
      expect.arrayContaining([
        [null, null],
        [null, 8],
        [3, null],
      ]),
    );
    const row = result.rows.findIndex(({ firstLast }) => firstLast === 8);
    const pinned = result.assignment.filter((node) => node.row === row && /^(one|classes)\//.test(node.node));
    expect(pinned.map(({ bits }) => bits)).toEqual([8, 8, 8]);
    const two = result.rows.findIndex(({ seed }) => seed === 3);
    const schemes = new Set(result.assignment.filter((node) => node.row === two).map(({ scheme }) => scheme));
    for (const scheme of schemes) expect(["clip", "pot"]).toContain(scheme);
  });

  it("that fail are rows, and the others go on", async () => {
    const failing = study(tinyPlan()).cells([{ budget: { modelSize: 10 } }, { budget: { averageBits: 3 } }]);
    const result = await failing.run(at("failing.sqlite"), silent);
    expect(result.rows.map(({ state, code }) => [state, code])).toEqual([
      ["failed", "infeasible-budget"],
      ["done", null],
    ]);
    expect(result.rows[0]!.message).toMatch(/modelSize|model size/);
    expect(String(result)).toContain("failure");
    expect((await readStudy(at("failing.sqlite"))).rows).toEqual(result.rows);
  });
});

describe("a function of a cell", () => {
  const data = blobData();
  const plan = ({ filters, seed }: { filters: number; seed: number }) => {
    if (filters === 13) throw new RangeError("no such network");
    return autoqnn(smallNetwork(filters), { data, seed, batchSize: 32 }).fineTune({
      steps: 2,
      reestimate: 1,
      ...quiet,
    });
  };

  it("may have any axes; what it throws is a row", async () => {
    const result = await study(plan)
      .over({ filters: [1, 13], seed: [0] })
      .run(at("function.sqlite"), silent);
    expect(result.rows.map(({ filters, state, code, message }) => [filters, state, code, message])).toEqual([
      [1, "done", null, null],
      [13, "failed", "RangeError", "no such network"],
    ]);
  });

  it("names directories that all its cells share", async () => {
    const found = new Map<number, string>();
    const noted = study(({ seed, part }: { seed: number; part: string }, { shared }) => {
      found.set(found.size, `${seed}${part} ${shared("start", seed)}`);
      return autoqnn(smallNetwork(), { data, seed });
    });
    await noted.over({ seed: [0, 1], part: ["a", "b"] }).run(at("shared.sqlite"), silent);
    const paths = [...found.values()].map((text) => text.split(" ")[1]);
    expect(paths[0]).toBe(paths[1]);
    expect(paths[2]).toBe(paths[3]);
    expect(paths[0]).not.toBe(paths[2]);
  });
});

test("a study that is stopped goes on where it was, and ends with the same results", async () => {
  const stop = new AbortController();
  // Stopped within the second cell's fine-tune, at the first step there.
  let tuned = 0;
  const plan = (stopped: boolean) =>
    autoqnn(smallNetwork(), { data: blobData(), batchSize: 32 })
      .searchSchemes({ steps: 3, control: false, ...quiet })
      .fineTune({
        steps: 6,
        reestimate: 1,
        onProgress: ({ step }) => {
          if (stopped && step === 1 && ++tuned === 2) stop.abort();
        },
      });
  const axes = { granularity: ["layer", "model"], seed: [0] } as const;
  let cells = 0;
  const first = study(plan(false))
    .over(axes)
    .run(at("stopped.sqlite"), {
      signal: stop.signal,
      onCell: () => {
        cells++;
        stop.abort();
      },
    });
  await expect(first).rejects.toMatchObject({ code: "aborted" });
  expect(cells).toBe(1);
  expect((await readStudy(at("stopped.sqlite"))).pending).toBe(1);
  expect(existsSync(at("stopped.sqlite.lock"))).toBe(false);
  expect(existsSync(at("stopped.sqlite.checkpoints"))).toBe(true);
  const done: unknown[] = [];
  const second = await study(plan(false))
    .over(axes)
    .run(at("stopped.sqlite"), { onCell: ({ cell }) => void done.push(cell) });
  expect(done).toHaveLength(1);
  const whole = await study(plan(false)).over(axes).run(at("whole.sqlite"), silent);
  expect(outcome(second)).toEqual(outcome(whole));
});

test("in a notebook the table and the frontier are shown once and updated after every cell, and its interrupt stops", async () => {
  const shown: string[] = [];
  const bundles: MimeBundle[] = [];
  const stop = new AbortController();
  const note = (verb: string) => (bundle: MimeBundle, id?: string) => {
    shown.push(`${verb} ${id!.split("-").at(-1)}`);
    bundles.push(bundle);
    if (shown.filter((part) => part.endsWith("frontier")).length === 2) stop.abort();
  };
  serveNotebook({ display: note("display"), update: note("update"), signal: stop.signal });
  try {
    const plan = autoqnn(smallNetwork(), { data: blobData() }).fineTune({ steps: 2, reestimate: 1 });
    const run = study(plan)
      .over({ seed: [0, 1, 2] })
      .run(at("notebook.sqlite"));
    await expect(run).rejects.toMatchObject({ code: "aborted" });
  } finally {
    serveNotebook(undefined as never);
  }
  const parts = shown.filter((part) => !part.endsWith("stage"));
  expect(parts).toEqual(["display table", "display frontier", "update table", "update frontier"]);
  expect(shown.filter((part) => part.startsWith("display"))).toHaveLength(3);
  expect(bundles[shown.indexOf("display stage")]!["text/plain"]).toMatch(/^fine-tune: step \d of 2, loss/);
  expect(bundles[shown.indexOf("update table")]!["text/html"]).toMatch(/^<p>2 of 3 cells/);
  const figure = bundles[shown.indexOf("update frontier")];
  expect(figure).toHaveProperty(["application/vnd.plotly.v1+json"]);
  expect(figure).toHaveProperty(["image/png"]);
});

test("shards are disjoint, and merged they equal the whole", async () => {
  const axes = { granularity: ["layer", "model"], seed: [0, 1] } as const;
  const plan = () =>
    autoqnn(smallNetwork(), { data: blobData(), batchSize: 32 }).searchSchemes({
      steps: 2,
      control: false,
      ...quiet,
    });
  const whole = await study(plan()).over(axes).run(at("unsharded.sqlite"), silent);
  const names = [0, 1, 2].map((index) => at(`shard-${index}.sqlite`));
  for (const [index, name] of names.entries())
    await study(plan())
      .over(axes)
      .run(name, { ...silent, shard: { index, count: 3 } });
  const parts = await Promise.all(names.map(async (name) => (await readStudy(name)).rows.length));
  expect(parts.reduce((sum, length) => sum + length, 0)).toBe(4);
  const merged = await mergeStudies(names.toReversed(), at("merged.sqlite"));
  expect(outcome(merged)).toEqual(outcome(whole));
  expect((await readStudy(at("merged.sqlite"))).rows).toEqual(merged.rows);
  await expect(mergeStudies([names[0]!, at("grid.sqlite")], at("no.sqlite"))).rejects.toThrow(/another plan/);
  await expect(mergeStudies([names[0]!, at("missing.sqlite")], at("no.sqlite"))).rejects.toThrow(
    /no such file/,
  );
  expect(existsSync(at("no.sqlite"))).toBe(false);
});

describe("what is refused before any work", () => {
  const plan = autoqnn(smallNetwork(), { data: blobData() }).searchSchemes();

  it.each<[string, () => unknown, RegExp]>([
    [
      "an unknown axis",
      () => study(plan).over({ granularty: ["layer"] } as never),
      /granularity, candidates.*"granularty"/,
    ],
    [
      "an axis without values",
      () => study(plan).over({ granularity: [] }),
      /at least one value for the axis "granularity"/,
    ],
    [
      "an axis without its stage",
      () => study(plan).over({ budget: [{ averageBits: 2 }] }),
      /\.learnPrecision\(\)/,
    ],
    [
      "a value that is no option",
      () => study(plan).over({ granularity: ["layers" as never] }),
      /searchSchemes\.granularity/,
    ],
    ["a repeated value", () => study(plan).over({ seed: [1, 1] }), /seed=1 twice/],
    ["no cells", () => study(plan).cells([]), /at least one cell/],
    ["what is no plan", () => study({} as never).over({ seed: [1] }), /a plan, or a function/],
    ["an axis named as a column", () => study(() => plan).cells([{ Accuracy: 1 }]), /a name of its own/],
    ["an axis that is no name", () => study(() => plan).cells([{ "a b": 1 }]), /letters, digits/],
    [
      "a value that is no JSON",
      () => study(() => plan).cells([{ model: smallNetwork() }]),
      /that JSON can hold/,
    ],
    [
      "data to judge on",
      () => study(autoqnn(smallNetwork(), { data: { train: blobData().train } })).over({ seed: [1] }),
      /to judge every cell on/,
    ],
  ])("%s", (_name, build, message) => {
    expect(build).toThrow(message);
  });

  it.each([
    [{ index: 2, count: 2 }, /received 2\/2/],
    [{ index: 0, count: 9 }, /at most 2 shards/],
  ])("the shard %j", async (shard, message) => {
    await expect(
      study(plan)
        .over({ seed: [0, 1] })
        .run(at("never.sqlite"), { shard }),
    ).rejects.toThrow(message);
  });

  it("files that are not ours, too new, in use, or cannot be written", async () => {
    const run = (name: string) =>
      study(plan)
        .over({ seed: [0] })
        .run(name, silent);
    await writeFile(at("text.sqlite"), "no database at all, but a text of some length");
    await expect(run(at("text.sqlite"))).rejects.toThrow(/not a database/);
    const make =
      "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('CREATE TABLE t (a)'); c.executescript(sys.argv[2]); c.commit()";
    execFileSync("python3", ["-c", make, at("foreign.sqlite"), ""]);
    await expect(run(at("foreign.sqlite"))).rejects.toThrow(/another SQLite file/);
    execFileSync("python3", [
      "-c",
      make,
      at("new.sqlite"),
      "PRAGMA application_id = 1095848788; PRAGMA user_version = 2;",
    ]);
    await expect(run(at("new.sqlite"))).rejects.toThrow(/version 2.*Update autoqnn/);
    await writeFile(
      at("used.sqlite.lock"),
      JSON.stringify({ process: process.pid, host: (await import("node:os")).hostname() }),
    );
    await expect(run(at("used.sqlite"))).rejects.toThrow(/process \d+ on/);
    await expect(run("/proc/none/x.sqlite")).rejects.toMatchObject({ code: "bad-file" });
    await expect(readStudy(at("nowhere.sqlite"))).rejects.toThrow(/no such file/);
  });

  it("a full disk: what was there stays", async () => {
    // A device that is always full.
    await expect(
      study(plan)
        .over({ seed: [0] })
        .run("/dev/full", silent),
    ).rejects.toMatchObject({ code: "bad-file" });
  });
});
