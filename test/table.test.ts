import { describe, expect, it } from "vitest";
import { asHtml, asMarkdown, asText, table } from "../sdk/table.js";

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
      "| dense\\|<b> | 7 |  |",
    ]);
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
