import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Papa from "papaparse";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { figuresOf, tablesOf } from "../../sdk/report/contents.js";
import type { Figure } from "../../sdk/report/figures.js";
import { saveReport } from "../../sdk/report/saveReport.js";
import { stills } from "../../sdk/report/stills.js";
import { synthetic } from "./synthetic.js";

const report = synthetic({ steps: 20 });
const small = { ...report, runs: [], model: { ...report.model, nodes: report.model.nodes.slice(0, 2) } };
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "autoqnn-report-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe("saveReport", () => {
  it("writes the page, every figure as SVG and PNG, every table as CSV, Markdown and LaTeX", async () => {
    const place = join(directory, "all");
    await saveReport(report, place);
    expect((await readdir(place)).toSorted()).toEqual(["figures", "report.html", "tables"]);
    const pictures = figuresOf(report).flatMap(({ name, figure }) => {
      const count = stills(figure).length;
      return count === 1 ? [name] : Array.from({ length: count }, (_, i) => `${name}-page-${i + 1}`);
    });
    // Thirteen nodes: theta takes two pages.
    expect(pictures).toContain("theta-over-time-page-2");
    const files = (names: readonly string[], ...kinds: string[]): string[] =>
      names.flatMap((name) => kinds.map((kind) => `${name}.${kind}`)).toSorted();
    expect((await readdir(join(place, "figures"))).toSorted()).toEqual(files(pictures, "svg", "png"));
    const tables = Object.keys(tablesOf(report));
    expect((await readdir(join(place, "tables"))).toSorted()).toEqual(files(tables, "csv", "md", "tex"));

    const csv = await readFile(join(place, "tables", "nodes.csv"), "utf8");
    const { data } = Papa.parse<Record<string, string>>(csv, { header: true, skipEmptyLines: true });
    expect(data.map(({ node, bits }) => ({ id: node, bits: Number(bits) }))).toEqual(
      report.model.nodes.map(({ id, bits }) => ({ id, bits })),
    );
  });

  it("replaces an older report whole, and leaves other files alone", async () => {
    const place = join(directory, "again");
    await saveReport(report, place);
    await writeFile(join(place, "notes.txt"), "mine");
    await saveReport(small, place);
    const figures = await readdir(join(place, "figures"));
    expect(figures).toContain("bits-per-node.svg");
    expect(figures).not.toContain("loss-over-time.svg");
    expect(await readFile(join(place, "notes.txt"), "utf8")).toBe("mine");
  });

  it("refuses to replace figures that are not its own, and puts nothing there", async () => {
    const place = join(directory, "foreign");
    await mkdir(join(place, "figures"), { recursive: true });
    await writeFile(join(place, "figures", "mine.svg"), "");
    await expect(saveReport(small, place)).rejects.toMatchObject({ code: "bad-option" });
    expect(await readdir(place)).toEqual(["figures"]);
  });

  it("refuses a place that is no directory", async () => {
    const place = join(directory, "file");
    await writeFile(place, "");
    await expect(saveReport(small, place)).rejects.toThrow(/directory for a report that can be written/);
    await expect(access(join(place, "report.html"))).rejects.toThrow();
  });
});

describe("stills", () => {
  it("has a picture for each page, which together show every trace once", () => {
    const paged = figuresOf(report).find(({ name }) => name === "theta-over-time")!.figure;
    const pages = stills(paged);
    expect(pages.length).toBe(2);
    expect(pages.reduce((sum, { data }) => sum + data.length, 0)).toBe(paged.data.length);
    const titles = ({ layout }: Figure): string[] =>
      (layout.annotations as { text: string }[]).map(({ text }) => text.split(/ · |<br>/)[0]!);
    // Of a name that is longer than its panel the end is shown.
    const shown = (id: string) => (id.length > 27 ? `…${id.slice(-26)}` : id);
    expect(pages.flatMap(titles)).toEqual(report.model.nodes.map(({ id }) => shown(id)));
    for (const { layout } of pages) expect(layout.updatemenus).toBeUndefined();
  });

  it("is the figure itself without a menu", () => {
    const figure = { data: [{ x: [1], y: [1] }], layout: {} };
    expect(stills(figure)).toEqual([figure]);
  });
});
