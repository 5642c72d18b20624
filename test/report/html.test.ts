import { describe, expect, it } from "vitest";
import { htmlReport } from "../../sdk/report/html.js";
import type { LearnRun } from "../../sdk/train/run.js";
import { synthetic } from "./synthetic.js";

const report = synthetic();
const html = htmlReport(report);

describe("htmlReport", () => {
  it("is one file: plotly once inside, nothing from elsewhere", () => {
    expect(html.match(/plotly\.js v\d/g)?.length).toBe(1);
    expect(html).not.toMatch(/<script[^>]*\ssrc=/);
    expect(html).not.toMatch(/<link\b/);
    expect(html.match(/<script/g)!.length).toBeGreaterThan(3);
  });

  it("keeps text from becoming markup, and figures from ending their script", () => {
    expect(html).toContain("<h1>ResNet8 &lt;on&gt; Fashion-MNIST &amp; more</h1>");
    for (const [, json] of html.matchAll(/<script type="application\/json">(.*?)<\/script>/gs)) {
      const figure = JSON.parse(json!);
      expect(figure.data.length).toBeGreaterThan(0);
    }
  });

  it("states the result, and who won", () => {
    expect(html).toContain("90.52 ± 0.29");
    expect(html).toContain("88.71 ± 0.32");
    expect(html).toContain("The learned bitwidths won (gamma 2)");
    const learn = report.runs[1] as LearnRun;
    const control = {
      ...report,
      runs: [report.runs[0]!, { ...learn, chosen: "control" as const }, report.runs[2]!],
    };
    expect(htmlReport(control)).toContain("The control won");
  });

  it("draws what was measured", () => {
    expect(html).toContain("Error of what every layer receives");
    expect(html).toContain("Confusion matrix");
    expect(html).toContain("what a bit is worth there");
  });

  it("names every node and everything left alone", () => {
    for (const { id } of report.model.nodes) expect(html).toContain(`<td>${id}</td>`);
    expect(html).toContain("model input: already 8-bit data");
  });

  it("does without stages and measurements", () => {
    const { title, floating, quantized, model } = report;
    const bare = htmlReport({ title, floating, quantized, model, runs: [] });
    expect(bare).toContain("88.71");
    expect(bare.match(/<figure/g)!.length).toBe(5);
  });
});
