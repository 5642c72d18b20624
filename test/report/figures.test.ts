import { describe, expect, it } from "vitest";
import {
  bitsAgainstSensitivity,
  bitsOverTime,
  bitsPerNode,
  errorPerLayer,
  lossOverTime,
  staircases,
  thetaOverTime,
  whereBitsGo,
} from "../../sdk/report/figures.js";
import type { LearnRun, SearchRun } from "../../sdk/train/run.js";
import { synthetic } from "./synthetic.js";

interface Trace {
  readonly name: string;
  readonly type: string;
  readonly x: readonly (number | string)[];
  readonly y: readonly number[];
  readonly visible?: boolean;
  readonly xaxis: string;
}

const traces = (figure: { readonly data: readonly unknown[] }): Trace[] => figure.data as Trace[];
const report = synthetic();
const [search, learn] = report.runs as [SearchRun, LearnRun];

describe("thetaOverTime", () => {
  it("draws softmax(theta) of every candidate, from the first step to the last", () => {
    const lines = traces(thetaOverTime(search)).filter(({ name }) => name !== undefined);
    expect(lines.length).toBe(search.nodes.length * 8);
    const first = lines.slice(0, 8);
    for (let i = 0; i < first[0]!.x.length; i++) {
      expect(first.reduce((sum, { y }) => sum + y[i]!, 0)).toBeCloseTo(1, 3);
    }
    const theta = search.theta[search.nodes[0]!]!;
    const total = theta.reduce((sum, value) => sum + Math.exp(value), 0);
    first.forEach(({ x, y }, i) => {
      expect([x[0], x.at(-1)]).toEqual([1, search.history.steps]);
      expect(y.at(-1)).toBeCloseTo(Math.exp(theta[i]!) / total, 3);
    });
  });

  it("has one colour and one dash for a candidate in all plots, whichever others are beside it", () => {
    const candidates = Object.fromEntries(
      search.nodes.map((node, i) => [node, search.candidates[node]!.slice(i % 2 === 0 ? 0 : 3)]),
    );
    const looks = new Map<string, Set<string>>();
    for (const { name, line } of thetaOverTime({ ...search, candidates }).data as {
      name: string;
      line: object;
    }[])
      if (name !== undefined) looks.set(name, (looks.get(name) ?? new Set()).add(JSON.stringify(line)));
    expect(looks.size).toBe(8);
    for (const own of looks.values()) expect(own.size).toBe(1);
  });

  it("shows one page of twelve nodes at a time, and a menu for the others", () => {
    const figure = thetaOverTime(search);
    const menu = (figure.layout.updatemenus as { buttons: { args: [{ visible: boolean[] }] }[] }[])[0]!;
    expect(menu.buttons.length).toBe(Math.ceil(search.nodes.length / 12));
    const shown = menu.buttons.map(({ args }) => args[0].visible);
    traces(figure).forEach((trace, i) => {
      expect(shown.filter((visible) => visible[i]).length).toBe(1);
      expect(trace.visible).toBe(shown[0]![i]);
    });
  });

  it("draws a row that many nodes share once", () => {
    const nodes = ["a/kernel", "b/kernel", "b/input"];
    const candidates = search.candidates[search.nodes[0]!]!.slice(0, 2);
    const data = Float32Array.of(0, 0, 0, 0, 1, 2, 3, 5);
    const shared: SearchRun = {
      ...search,
      nodes,
      candidates: Object.fromEntries(nodes.map((node) => [node, candidates])),
      theta: {
        "a/kernel": Float32Array.of(1, 2),
        "b/kernel": Float32Array.of(1, 2),
        "b/input": Float32Array.of(3, 5),
      },
      history: { ...search.history, steps: 2, traces: { theta: { row: [2, 2], data } } },
    };
    const figure = thetaOverTime(shared);
    expect(traces(figure).filter(({ name }) => name !== undefined).length).toBe(4);
    expect((figure.layout.annotations as { text: string }[]).map(({ text }) => text)).toEqual([
      "a/kernel and 1 more",
      "b/input",
    ]);
  });

  it("refuses a run without the trace", () => {
    const bare = { ...search, history: { ...search.history, traces: {} } };
    expect(() => thetaOverTime(bare)).toThrow(/theta/);
  });
});

describe("bitsOverTime", () => {
  it("ends every line at the learned bitwidth, weights and inputs on axes of their own", () => {
    const lines = traces(bitsOverTime(learn));
    expect(lines.length).toBe(learn.nodes.length);
    for (const { name, y, xaxis } of lines) {
      expect(y[0]).toBeCloseTo(3, 3);
      expect(y.at(-1)).toBeCloseTo(learn.learned[name]!, 1);
      expect(xaxis).toBe(name.endsWith("/input") ? "x2" : "x");
    }
  });
});

describe("bitsPerNode", () => {
  it("has one bar for every node, in its scheme's group, and the average over all values", () => {
    const { nodes } = report.model;
    const figure = bitsPerNode(nodes, learn.learned);
    const bars = traces(figure).filter(({ type }) => type === "bar");
    const drawn = bars.flatMap(({ name, x, y }) => x.map((id, i) => ({ id, scheme: name, bits: y[i] })));
    const sorted = <T extends { id: unknown }>(list: T[]) =>
      list.toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1));
    expect(sorted(drawn)).toEqual(sorted(nodes.map(({ id, scheme, bits }) => ({ id, scheme, bits }))));
    const weights = nodes.filter(({ kind }) => kind === "weight");
    const total = weights.reduce((sum, { elements }) => sum + elements, 0);
    const mean = weights.reduce((sum, { elements, bits }) => sum + elements * bits, 0) / total;
    expect((figure.layout.shapes as { y0: number }[])[0]!.y0).toBeCloseTo(mean, 9);
  });
});

describe("staircases", () => {
  it("draws the quantizer's own values over all of the histogram", () => {
    const node = report.model.nodes.find(({ kind }) => kind === "weight")!;
    const values = report.runs[0]!.snapshot.variables[node.id]!.data;
    const [histogram, steps] = traces(staircases("weights", [node], { [node.id]: values }));
    expect(histogram!.y.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 1);
    expect([...new Set(steps!.y)].length).toBe(node.staircase.levels.length);
    const middle = steps!.x.slice(1).map((x, i) => (Number(x) + Number(steps!.x[i])) / 2);
    for (const [i, level] of node.staircase.apply(middle).entries())
      expect(steps!.y[i]).toBeCloseTo(level, 4);
  });

  it("survives a constant tensor", () => {
    const node = { ...report.model.nodes[0]!, id: "zero" };
    const [histogram] = traces(staircases("zeros", [node], { zero: new Float32Array(9) }));
    expect(histogram!.y.reduce((sum, share) => sum + share, 0)).toBeCloseTo(100, 6);
    expect(histogram!.x.every(Number.isFinite)).toBe(true);
  });
});

describe("lossOverTime", () => {
  it("puts stages one after another", () => {
    const lines = traces(lossOverTime(report.runs)).filter(({ x, xaxis }) => x.length > 1 && xaxis === "x");
    expect(lines.map(({ x }) => [x[0], x.at(-1)])).toEqual([
      [1, 300],
      [301, 600],
      [601, 900],
    ]);
  });

  it("ends near what was measured last", () => {
    const [first] = traces(lossOverTime(report.runs));
    expect(Math.abs(first!.y.at(-1)! - 0.45)).toBeLessThan(0.15);
  });
});

describe("whereBitsGo", () => {
  it("has a bar for every node of the kind, the largest first, and shares that add up", () => {
    const figure = whereBitsGo(report.model.nodes, "weight");
    const bars = traces(figure) as (Trace & { readonly text: string[] })[];
    const own = report.model.nodes.filter(({ kind }) => kind === "weight");
    const bytes = own.reduce((sum, { elements, bits }) => sum + (elements * bits) / 8, 0);
    const drawn = bars.flatMap(({ x, y, text }) =>
      x.map((kilobytes, i) => ({ id: String(y[i]), kilobytes: Number(kilobytes), text: text[i]! })),
    );
    expect(drawn.reduce((sum, { kilobytes }) => sum + kilobytes, 0)).toBeCloseTo(bytes / 1000, 9);
    expect(drawn.reduce((sum, { text }) => sum + Number.parseFloat(text), 0)).toBeCloseTo(100, 0);
    const order = (figure.layout.yaxis as { categoryarray: string[] }).categoryarray;
    const sizes = order.map((id) => drawn.find((bar) => bar.id === id)!.kilobytes);
    expect(sizes).toEqual(sizes.toSorted((a, b) => b - a));
    expect(order.toSorted()).toEqual(own.map(({ id }) => id).toSorted());
  });
});

describe("bitsAgainstSensitivity", () => {
  it("draws a change where it was measured, and none where there is no such bitwidth", () => {
    const rows = [
      { node: "a", scheme: "binary", bits: 1, up: { loss: -0.1, error: 0.01 } },
      {
        node: "b",
        scheme: "clip",
        bits: 2,
        up: { loss: -0.2, error: 0.02 },
        down: { loss: 0.3, error: 0.03 },
      },
    ] as const;
    const [first, second, less, more] = traces(bitsAgainstSensitivity(rows));
    expect([first!.name, first!.x, second!.name, second!.x]).toEqual(["binary", [1], "clip", [2]]);
    expect([less!.y, less!.x]).toEqual([["b"], [0.3]]);
    expect([more!.y, more!.x]).toEqual([
      ["a", "b"],
      [-0.1, -0.2],
    ]);
  });
});

describe("errorPerLayer", () => {
  it("draws both errors in percent, and leaves out what is not quantized", () => {
    const [arriving, rounding] = traces(
      errorPerLayer([
        { node: "conv/input", arriving: 0.1, rounding: 0.05 },
        { node: "output", arriving: 0.2 },
      ]),
    );
    expect([arriving!.y, arriving!.x]).toEqual([
      ["conv/input", "output"],
      [10, 20],
    ]);
    expect([rounding!.y, rounding!.x]).toEqual([["conv/input"], [5]]);
  });
});
