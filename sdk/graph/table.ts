import type { QuantizedGraph, QuantizingNode } from "./graph.js";

/** One line of the graph's report: a node, or (with a reason) an edge without one. */
export interface TableRow {
  readonly id: string;
  readonly kind: "weight" | "input";
  readonly shape: string;
  readonly elements: number;
  readonly consumers: number;
  readonly macs: number;
  /** "node", what is pinned there, or why it was left alone. */
  readonly note: string;
}

export interface GraphTable extends ReadonlyArray<TableRow> {
  toString(): string;
}

const HEAD = ["edge", "kind", "shape", "elements", "calls", "MACs", "note"];

/** Nodes first, then everything left alone and why. */
export function table(graph: QuantizedGraph): GraphTable {
  const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
  const nodes = graph.nodes.map(({ pin, ...node }) =>
    row(node.id, node.kind, node.shape, node.elements, node.consumers, node.macs, pinNote(pin)),
  );
  const others = graph.leftAlone.map(({ id, kind, layer, shape, reason }) => {
    const consumers = kind === "input" ? 1 : graph.calls.filter((call) => call.layer === layer).length;
    const macs = graph.calls
      .flatMap((call) => call.products)
      .reduce((sum, p) => sum + (p.weight === id || p.input === id ? p.macs : 0), 0);
    return row(id, kind, shape, product(shape), consumers, macs, `left alone: ${reason}`);
  });
  const rows = [...nodes, ...others];
  return Object.freeze(Object.assign(rows, { toString: () => text(rows) }));
}

function row(
  id: string,
  kind: TableRow["kind"],
  shape: readonly number[],
  elements: number,
  consumers: number,
  macs: number,
  note: string,
): TableRow {
  return Object.freeze({ id, kind, shape: shape.join("x") || "scalar", elements, consumers, macs, note });
}

function pinNote(pin: QuantizingNode["pin"]): string {
  if (!pin) return "node";
  return `node, pinned to ${[pin.scheme, pin.bits && `${pin.bits} bits`].filter(Boolean).join(" at ")}`;
}

function text(rows: readonly TableRow[]): string {
  const cells = rows.map((r) => [
    r.id,
    r.kind,
    r.shape,
    ...[r.elements, r.consumers, r.macs].map(grouped),
    r.note,
  ]);
  const widths = HEAD.map((head, i) => Math.max(head.length, ...cells.map((line) => line[i]!.length)));
  const line = (values: readonly string[]): string =>
    values
      .map((value, i) => (i >= 3 && i <= 5 ? value.padStart(widths[i]!) : value.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [line(HEAD), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
}

const grouped = (n: number): string => Math.round(n).toLocaleString("en-US");
