import { Resvg } from "@resvg/resvg-js";
import { JSDOM } from "jsdom";
import { describe, expect, it } from "vitest";
import { figureBundle } from "../../sdk/report/displayFigure.js";
import { bitsPerNode, thetaOverTime } from "../../sdk/report/figures.js";
import { hasStill, renderPng, renderSvg } from "../../sdk/report/render.js";
import type { SearchRun } from "../../sdk/train/run.js";
import { synthetic } from "./synthetic.js";

const report = synthetic({ steps: 40 });
const search = report.runs[0] as SearchRun;
const { window } = new JSDOM();

/** Refuses what is not well-formed XML. */
function parsed(svg: string): Document {
  const page = new window.DOMParser().parseFromString(svg, "image/svg+xml");
  expect(page.querySelector("parsererror")).toBeNull();
  return page;
}

/** The colours of a PNG's pixels, read by the renderer of SVG. */
function pixels(png: Buffer): { readonly width: number; readonly height: number; readonly rgba: Buffer } {
  expect(png.subarray(1, 4).toString("latin1")).toBe("PNG");
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}"><image width="${width}" height="${height}" xlink:href="data:image/png;base64,${png.toString("base64")}"/></svg>`;
  return { width, height, rgba: new Resvg(svg).render().pixels };
}

describe("renderSvg", () => {
  it("gives well-formed XML of the figure's size, with all its texts", async () => {
    const figure = bitsPerNode(report.model.nodes);
    const svg = parsed(await renderSvg(figure, { width: 700 })).documentElement;
    expect([svg.getAttribute("width"), svg.getAttribute("height")]).toEqual(["700", "760"]);
    const texts = [...svg.querySelectorAll("text")].map(({ textContent }) => textContent);
    expect(texts).toEqual(
      expect.arrayContaining([
        "Bitwidth and scheme of every node",
        "weights (bit)",
        "inputs (bit)",
        ...report.model.nodes.map(({ id }) => id),
      ]),
    );
  });

  it("gives the same text each time, also when others are drawn meanwhile", async () => {
    const figure = thetaOverTime(search);
    const alone = await renderSvg(figure);
    const [again] = await Promise.all([renderSvg(figure), renderSvg(bitsPerNode(report.model.nodes))]);
    expect(again).toBe(alone);
  });

  it("leaves the figure as it was", async () => {
    const figure = bitsPerNode(report.model.nodes);
    const before = structuredClone(figure);
    await renderSvg(figure);
    expect(figure).toEqual(before);
  });

  it("gives long names the room that they need", async () => {
    const named = (name: string) => ({
      data: [{ type: "bar", orientation: "h", x: [1], y: [name] }],
      layout: { yaxis: { automargin: true } },
    });
    const left = async (name: string): Promise<number> => {
      const area = parsed(await renderSvg(named(name))).querySelector(
        "rect.nsewdrag, .bglayer rect, clipPath rect",
      );
      const text = parsed(await renderSvg(named(name))).querySelector(".ytick text");
      expect(text?.textContent).toBe(name);
      expect(area).not.toBeNull();
      return Number(text!.getAttribute("x"));
    };
    const [short, long] = [await left("a"), await left("a layer whose name is as long as a sentence")];
    // At 12 pixels a letter is 7 pixels wide or so.
    expect(long - short).toBeGreaterThan(150);
  });

  it("refuses a size that is none, and goes on", async () => {
    await expect(renderSvg({ data: [], layout: { height: 300 } }, { width: -1 })).rejects.toThrow(
      /positive width/,
    );
    expect(await renderSvg({ data: [{ x: [1, 2], y: [1, 2] }], layout: {} })).toContain("<svg");
  });
});

describe("a trace that needs WebGL", () => {
  it("is refused by name", async () => {
    const figure = { data: [{ type: "scatter3d", x: [1], y: [1], z: [1] }], layout: {} };
    await expect(renderSvg(figure)).rejects.toThrow(/received scatter3d/);
    expect([hasStill(figure), hasStill({ data: [{ x: [1], y: [1] }], layout: {} })]).toEqual([false, true]);
    // A notebook still shows it where plotly itself draws.
    expect(Object.keys(await figureBundle(figure))).toEqual(["application/vnd.plotly.v1+json", "text/plain"]);
  });
});

describe("renderPng", () => {
  it("has as many pixels as asked for, most of them paper and some of them ink", async () => {
    const figure = bitsPerNode(report.model.nodes);
    const { width, height, rgba } = pixels(await renderPng(figure, { width: 600, height: 500, scale: 1.5 }));
    expect([width, height]).toEqual([900, 750]);
    let paper = 0;
    for (let at = 0; at < rgba.length; at += 4)
      if (rgba[at]! + rgba[at + 1]! + rgba[at + 2]! === 3 * 255) paper += 1;
    expect(paper / (width * height)).toBeGreaterThan(0.3);
    expect(paper / (width * height)).toBeLessThan(0.95);
  });

  it("draws text", async () => {
    const titled = (text: string) => ({
      data: [],
      layout: { title: { text }, xaxis: { visible: false }, yaxis: { visible: false } },
    });
    const dark = async (text: string): Promise<number> => {
      const { rgba } = pixels(await renderPng(titled(text), { scale: 1 }));
      let count = 0;
      for (let at = 0; at < rgba.length; at += 4) if (rgba[at]! < 128) count += 1;
      return count;
    };
    expect(await dark(" ")).toBe(0);
    expect(await dark("Bitwidths")).toBeGreaterThan(100);
  });

  it("draws the cells of a heat map in their colours", async () => {
    const colorscale = [
      [0, "rgb(255,0,0)"],
      [1, "rgb(0,0,255)"],
    ];
    const figure = {
      data: [{ type: "heatmap", z: [[0, 1]], showscale: false, colorscale }],
      layout: { margin: { l: 0, r: 0, t: 0, b: 0 }, xaxis: { visible: false }, yaxis: { visible: false } },
    };
    const { width, rgba } = pixels(await renderPng(figure, { width: 100, height: 50, scale: 2 }));
    const at = (x: number, y: number): number[] => [
      ...rgba.subarray(4 * (y * width + x), 4 * (y * width + x) + 3),
    ];
    expect(at(50, 50)).toEqual([255, 0, 0]);
    expect(at(150, 50)).toEqual([0, 0, 255]);
  });
});
