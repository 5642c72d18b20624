import { asText, type Column, type Table, table } from "../table.js";
import type { Sensitivity, SensitivityRow } from "../train/sensitivity.js";

/** What one bit more, or less, at a node does to the loss. */
export type SensitiveNode = Omit<SensitivityRow, "kind">;

const change = (of: "down" | "up", by: "less" | "more"): Column<SensitiveNode>[] => [
  { title: `one bit ${by}`, unit: "nat", digits: 4, value: ({ [of]: change }) => change?.loss },
  { title: `± ${by}`, unit: "nat", digits: 4, value: ({ [of]: change }) => change?.error },
];

const COLUMNS: readonly Column<SensitiveNode>[] = [
  { title: "node", value: ({ node }) => node },
  { title: "scheme", value: ({ scheme }) => scheme },
  { title: "bits", value: ({ bits }) => bits },
  ...change("down", "less"),
  ...change("up", "more"),
];

/** Changes of the loss, and their standard errors, a line for every node. */
export const sensitivityTable = (rows: readonly SensitiveNode[]): Table => table(rows, COLUMNS);

/** What was measured of the sensitivity, and on what, as text. */
export function describeSensitivity({ rows, loss, accuracy, examples, labels }: Sensitivity): string {
  const against = labels === "soft" ? "the floating-point network's labels" : "the labels of the data";
  const percent = (100 * accuracy).toFixed(2);
  return [
    `Sensitivity on ${examples} held-out examples, against ${against}: loss ${loss.toFixed(4)}, ${percent} % alike`,
    asText(sensitivityTable(rows)),
  ].join("\n");
}
