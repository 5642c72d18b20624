import { describe, expect, it } from "vitest";
import {
  bitsAgainstSensitivity,
  bitsOverTime,
  bitsPerNode,
  confusionMatrix,
  errorPerLayer,
  type Figure,
  frontier,
  lossOverTime,
  staircases,
  thetaOverTime,
  whereBitsGo,
} from "../../sdk/report/figures.js";
import { renderSvg } from "../../sdk/report/render.js";
import type { LearnRun, SearchRun } from "../../sdk/train/run.js";
import { synthetic } from "./synthetic.js";

const report = synthetic({ steps: 20 });
const [search, learn] = report.runs as [SearchRun, LearnRun];
const { nodes } = report.model;

const FIGURES: Readonly<Record<string, Figure>> = {
  theta: thetaOverTime(search),
  bits: bitsOverTime(learn),
  loss: lossOverTime(report.runs),
  nodes: bitsPerNode(nodes, learn.learned),
  staircases: staircases("Weights", nodes),
  sensitivity: bitsAgainstSensitivity(
    nodes.map(({ id, scheme, bits }) => ({ node: id, scheme, bits, down: { loss: 0.02, error: 0.001 } })),
  ),
  weights: whereBitsGo(nodes, "weight"),
  inputs: whereBitsGo(nodes, "input"),
  errors: errorPerLayer(nodes.map(({ id }) => ({ node: id, arriving: 0.2, rounding: 0.1 }))),
  confusion: confusionMatrix({
    counts: [
      [3, 1],
      [0, 5],
    ],
    classes: ["cat", "dog"],
  }),
  frontier: frontier([
    { name: "2 bit", accuracy: 0.9, bytes: 20000, seed: 1 },
    { name: "2 bit", accuracy: 0.91, bytes: 20100, seed: 2 },
  ]),
};

/** Quantities that have no unit. */
const PLAIN = /^(step|p = softmax\(theta\)|value x|quantized value Q\(x\)|true class|predicted class)$/;
const UNIT = /\((bit|nat|%|KB)\)$/;

interface Axis {
  readonly title?: { readonly text?: string };
  readonly type?: string;
  readonly visible?: boolean;
}

describe.each(Object.entries(FIGURES))("the figure of %s", (_, figure) => {
  it("names its axes, with their units", () => {
    const axes = Object.entries(figure.layout).filter(([key]) => /^[xy]axis\d*$/.test(key)) as [
      string,
      Axis,
    ][];
    const titles = axes.flatMap(([, { title }]) => (title?.text ? [title.text] : []));
    for (const title of titles) expect(UNIT.test(title) || PLAIN.test(title), title).toBe(true);
    for (const side of ["x", "y"]) {
      const own = axes.filter(([key, { type }]) => key.startsWith(side) && type !== "category");
      if (own.length > 0) expect(own.some(([, { title }]) => title?.text)).toBe(true);
    }
  });

  it("is plain JSON", () => {
    expect(JSON.parse(JSON.stringify(figure))).toEqual(figure);
  });

  it("keeps all its text on the paper", async () => {
    const svg = await renderSvg(figure);
    const width = Number(/width="(\d+)"/.exec(svg)![1]);
    // Titles of axes are placed in the middle; a margin that is too small pushes them out.
    for (const [, x, y] of svg.matchAll(/<text class="[xy]\d*title"[^>]*? x="([-\d.]+)" y="([-\d.]+)"/g)) {
      expect(Number(x)).toBeGreaterThan(0);
      expect(Number(x)).toBeLessThan(width);
      expect(Number(y)).toBeGreaterThan(0);
    }
    expect(svg.match(/class="[xy]\d*title"/g)?.length).toBeGreaterThan(0);
  });
});
