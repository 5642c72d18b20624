import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { costFigure, keyOf, PANELS } from "../../reproduce/bench/speed/curves.js";
import { interleave, type Outcome, type Timing } from "../../reproduce/bench/speed/interleave.js";
import { launchOf, METHODS } from "../../reproduce/bench/speed/methods.js";
import { build, NETWORKS, small } from "../../reproduce/bench/speed/networks.js";
import { targetTable, text } from "../../reproduce/bench/speed/results.js";
import { SPACES } from "../../reproduce/bench/speed/stages.js";
import { reached, TARGETS, verdict } from "../../reproduce/bench/speed/targets.js";
import type { QuantizingNode } from "../../sdk/graph/graph.js";
import { candidatesAt } from "../../sdk/search/candidates.js";

const BENCH = new URL("../../reproduce/bench/speed/", import.meta.url);
const TURNS = { rounds: 2, steps: 2, seconds: 1, seed: 0 };

/** A timing of `median` milliseconds and as many megabytes of memory in the steps. */
const timing = (median: number, more: Partial<Timing> = {}): Timing => ({
  median,
  quartiles: [median, median],
  steps: 4,
  rounds: [median, median],
  compile: 1500,
  before: 1e9,
  peak: 1e9 + median * 1e6,
  versions: {},
  ...more,
});

const ALL: Record<string, Outcome> = Object.fromEntries(METHODS.map(({ id }) => [id, timing(100)]));

test("every target is a figure of methods in the table, and less is better", () => {
  for (const target of TARGETS) {
    const known = { ...ALL, qss: timing(100, { javascript: 0.02 }) };
    expect(reached(target, known), target.title).toBeTypeOf("number");
    expect(target.aim, target.title).toBeLessThan(target.must);
    expect(reached(target, {}), target.title).toBeUndefined();
  }
});

test("figures follow from the timings, and a peer that was not run leaves its own open only", () => {
  const outcomes = {
    ...ALL,
    fp32: timing(100),
    qss: timing(130, { javascript: 0.005 }),
    tensorflow: timing(90),
    brevitas: { notRun: "no network" },
  };
  const value = (title: string): number | undefined => {
    const target = TARGETS.find((row) => row.title.startsWith(title))!;
    return reached(target, outcomes);
  };
  expect(value("QSS / FP32")).toBeCloseTo(1.3);
  expect(value("ours FP32")).toBeCloseTo(100 / 90);
  expect(value("peak memory")).toBeCloseTo(1.3);
  expect(value("trace and compile")).toBeCloseTo(1.5);
  expect(value("JavaScript")).toBeCloseTo(0.5);
  expect(value("QSS / Brevitas")).toBeUndefined();
  const fp32 = TARGETS.find((row) => row.title.startsWith("QSS / FP32"))!;
  expect([1.1, 1.3, 1.5, undefined].map((ratio) => verdict(fp32, ratio))).toEqual([
    ...["aim", "must", "short"],
    "not measured",
  ]);

  const machine = { processor: "P", cores: 2, memory: 8e9, system: "Linux", load: 0.5, stolen: 0.01 };
  const results = {
    date: "2026-01-01T00:00:00Z",
    device: "cpu" as const,
    machine,
    turns: TURNS,
    networks: { resnet20: outcomes },
  };
  expect(text(results)).toContain("not run: no network");
  expect(targetTable(results).rows.map((row) => row[3])).toContain("1.30 (reached)");
});

test("the peers' workers know every method that the table gives them, and every package is pinned", () => {
  const scripts = { keras: "peers/keras_worker.py", pytorch: "peers/torch_worker.py" };
  for (const { worker, method } of METHODS) {
    if (worker === "ours") continue;
    expect(readFileSync(new URL(scripts[worker], BENCH), "utf8")).toContain(`"${method}":`);
  }
  for (const name of ["tensorflow", "pytorch"]) {
    const lines = readFileSync(new URL(`requirements-${name}.txt`, BENCH), "utf8")
      .trim()
      .split("\n");
    expect(lines.filter((line) => !/^[\w.-]+==[\w.]+$/.test(line))).toEqual([]);
  }
});

test("the spaces of the curve have as many candidates as they say, at weights and at inputs", () => {
  for (const [count, { schemes, bits }] of Object.entries(SPACES)) {
    for (const kind of ["weight", "input"] as const) {
      const node = { id: "a", kind } as QuantizingNode;
      const space = { schemes: { weights: schemes, activations: schemes }, bits };
      expect(candidatesAt(node, true, space), `${count}, ${kind}`).toHaveLength(Number(count));
    }
  }
});

test("the networks are the published ones", () => {
  const parameters = NETWORKS.cpu.map((network) => [network.id, build(network).countParams()]);
  // What is trained, and the moving mean and variance of 784 and 4,800 normalised channels.
  expect(Object.fromEntries(parameters)).toEqual({
    resnet20: 272_474 + 2 * 784,
    resnet18: 11_689_512 + 2 * 4_800,
  });
});

test("our worker is timed in turns; a worker that dies says why and stops nobody", async () => {
  const lines: string[] = [];
  const method = METHODS.find(({ id }) => id === "qss")!;
  const dying = {
    command: process.execPath,
    arguments: ["-e", "throw new Error('out of luck')"],
    environment: {},
  };
  const outcomes = await interleave(
    [
      { id: "qss", launch: () => launchOf(method, small(8, 2), { device: "cpu", threads: 1 }, () => {}) },
      { id: "dying", launch: async () => dying },
      { id: "unmade", launch: () => Promise.reject(new Error("no Python")) },
    ],
    TURNS,
    "cpu",
    (line) => lines.push(line),
  );
  const qss = outcomes.qss as Timing;
  expect(qss).toMatchObject({ steps: 4, candidates: 8 });
  expect(qss.rounds).toHaveLength(2);
  expect(qss.median).toBeGreaterThan(0);
  expect(qss.peak).toBeGreaterThan(qss.before);
  expect(qss.javascript).toBeGreaterThan(0);
  expect(qss.javascript).toBeLessThan(1);
  expect(outcomes.dying).toEqual({ notRun: "Error: out of luck" });
  expect(outcomes.unmade).toEqual({ notRun: "no Python" });
  expect(lines.at(-1)).toMatch(/^round 2 of 2, ETA 0:00$/);
});

test("the picture of costs has a value at every point that was measured, and a gap elsewhere", () => {
  const panels = Object.fromEntries(
    PANELS.map((panel) => [
      panel.id,
      Object.fromEntries(
        panel.xs.flatMap((x) =>
          panel
            .points(x)
            .map(({ method, network }, i) => [keyOf(method, network), timing(i === 0 ? 100 : 120)]),
        ),
      ),
    ]),
  );
  const machine = { processor: "P", cores: 2, memory: 8e9, system: "Linux", load: 0, stolen: 0 };
  const measured = costFigure({ date: "", machine, turns: TURNS, panels });
  expect(measured.data.flatMap(({ y }) => y)).toEqual(
    PANELS.flatMap(({ id, xs }) => (id === "candidates" ? xs : [...xs, ...xs])).map(() => 1.2),
  );
  const gap = costFigure({
    date: "",
    machine,
    turns: TURNS,
    panels: { candidates: { [keyOf(PANELS[0]!.points(1)[0]!.method, small(20))]: timing(100) } },
  });
  expect(gap.data[0]!.y).toEqual(PANELS[0]!.xs.map(() => null));
});
