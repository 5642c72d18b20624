import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Papa from "papaparse";
import { describe, expect, it } from "vitest";
import { asCsv, asHtml, asLatex, asMarkdown, asRecords, asText, table } from "../sdk/table.js";

const ROWS = [
  { id: "conv1/kernel", bytes: 1200, loss: 0.5 },
  { id: "dense|<b>", bytes: 7, loss: undefined },
];
const TABLE = table(ROWS, [
  { title: "node", value: ({ id }) => id },
  { title: "size", unit: "B", value: ({ bytes }) => bytes },
  { title: "loss", unit: "nat", digits: 3, value: ({ loss }) => loss },
]);

describe("table", () => {
  it("aligns numbers to the right in text", () => {
    expect(asText(TABLE)).toBe(
      [
        "node          size (B)  loss (nat)",
        "------------  --------  ----------",
        "conv1/kernel     1,200       0.500",
        "dense|<b>            7",
      ].join("\n"),
    );
  });

  it("breaks columns that wrap where lines would be too long, and only there", () => {
    const rows = [
      { name: "first", why: "a reason that goes on for longer than the line is wide" },
      { name: "second", why: "short" },
    ];
    const wrapping = table(rows, [
      { title: "name", value: ({ name }) => name },
      { title: "why", wraps: true, value: ({ why }) => why },
    ]);
    expect(asText(wrapping, 40)).toBe(
      [
        "name    why",
        "------  --------------------------------",
        "first   a reason that goes on for longer",
        "        than the line is wide",
        "second  short",
      ].join("\n"),
    );
    expect(asText(wrapping).split("\n")[2]).toBe(`first   ${rows[0]!.why}`);
  });

  it("keeps bars out of Markdown's columns", () => {
    expect(asMarkdown(TABLE).split("\n")).toEqual([
      "| node | size (B) | loss (nat) |",
      "| --- | ---: | ---: |",
      "| conv1/kernel | 1,200 | 0.500 |",
      "| dense\\|\\<b> | 7 |  |",
    ]);
  });

  it("keeps line breaks and marks out of Markdown", () => {
    const [, , row] = asMarkdown(table(["a\n*b*"], [{ title: "t", value: (text) => text }])).split("\n");
    expect(row).toBe("| a \\*b\\* |");
  });

  it("gives CSV that another program reads back, numbers in full", () => {
    const odd = ['a "quoted" name', "one, two", "two\r\nlines", "", " blanks ", "1,200"];
    const numbers = [1 / 3, 1e21, -0.5, 1234567.875, 5e-324, 0];
    const rows = odd.map((text, i) => ({ text, number: numbers[i]! }));
    const csv = asCsv(
      table(rows, [
        { title: "text", value: ({ text }) => text },
        { title: "number", unit: "KB", digits: 1, value: ({ number }) => number },
      ]),
    );
    const { data, errors } = Papa.parse<string[]>(csv, { delimiter: ",", newline: "\r\n" });
    expect(errors).toEqual([]);
    expect(data.slice(0, -1).map(([text]) => text)).toEqual(["text", ...odd]);
    expect(data.slice(1, -1).map(([, number]) => Number(number))).toEqual(numbers);
    expect(data.at(-1)).toEqual([""]);
  });

  it("gives records by title, and numbers titles that stand twice", () => {
    const twice = table(
      [{ a: 1, b: "x" }],
      [
        { title: "+-", value: ({ a }) => a },
        { title: "+-", value: ({ b }) => b },
      ],
    );
    expect(asRecords(twice)).toEqual([{ "+-": 1, "+- 2": "x" }]);
    expect(asRecords(TABLE)[0]).toEqual({ node: "conv1/kernel", "size (B)": 1200, "loss (nat)": 0.5 });
  });

  it("escapes all that LaTeX reads as a command", () => {
    const text = asLatex(
      table(["50 % of a_b & {c} # ^ ~ \\ $ [1] ±"], [{ title: "t", value: (row) => row }]),
    );
    const [begin, top, head, middle, row, bottom, end] = text.split("\n");
    expect([begin, top, middle, bottom, end]).toEqual([
      "\\begin{tabular}{l}",
      ...["\\toprule", "\\midrule", "\\bottomrule", "\\end{tabular}"],
    ]);
    expect(head).toBe("t \\\\");
    expect(row).toBe(
      "50 \\% of a\\_b \\& \\{c\\} \\# \\textasciicircum{} \\textasciitilde{} \\textbackslash{} \\$ {[}1{]} $\\pm$ \\\\",
    );
  });

  it.skipIf(spawnSync("pdflatex", ["--version"]).error)("gives LaTeX that compiles", () => {
    const directory = mkdtempSync(join(tmpdir(), "autoqnn-latex-"));
    const body = asLatex(
      table(["% & _ # ^ ~ \\ $ { } [ × ± − | < >"], [{ title: "[t]", value: (row) => row }]),
    );
    const file = join(directory, "table.tex");
    writeFileSync(
      file,
      `\\documentclass{article}\\usepackage{booktabs}\\begin{document}${body}\\end{document}`,
    );
    const flags = ["-interaction=nonstopmode", "-halt-on-error", "table.tex"];
    expect(String(execFileSync("pdflatex", flags, { cwd: directory }))).toContain("Output written");
  });

  it("escapes text in HTML", () => {
    const html = asHtml(TABLE);
    expect(html).toContain("<td>dense|&lt;b&gt;</td>");
    expect(html).toContain('<td class="number">1,200</td>');
    expect(html).not.toContain("<b>");
  });

  it("has a header without rows", () => {
    expect(asText(table([], [{ title: "node", value: () => "" }]))).toBe("node\n----");
  });
});
