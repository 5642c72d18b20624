import { type Column, type Table, table } from "../table.js";
import { groups } from "./groups.js";
import type { ClassRow, Report, TableRow } from "./table.js";
import type { Costs, Totals } from "./totals.js";

/** A report as tables to be read by people; those without a line are left out. */
export function tablesOf({ nodes, leftAlone, classes, totals }: Report): Table[] {
  const all = [nodeTable(nodes), reasonTable(leftAlone), classTable(classes, totals), totalTable(totals)];
  return all.filter(({ rows }) => rows.length > 0);
}

const count = { digits: 0 };

function nodeTable(nodes: readonly TableRow[]): Table {
  const pins: Column<TableRow>[] = nodes.some(({ pin }) => pin)
    ? [{ title: "pinned to", value: pinned }]
    : [];
  const assigned: Column<TableRow>[] = nodes.some(({ bits }) => bits !== undefined)
    ? [
        { title: "scheme", value: ({ scheme }) => scheme },
        { title: "bits", value: ({ bits }) => bits },
      ]
    : [];
  return table(nodes, [
    { title: "node", value: ({ id }) => id },
    { title: "shape", value: ({ shape }) => shape.join("×") || "scalar" },
    { title: "elements", ...count, value: ({ elements }) => elements },
    { title: "calls", ...count, value: ({ consumers }) => consumers },
    { title: "MACs", ...count, value: ({ macs }) => macs },
    ...assigned,
    ...pins,
  ]);
}

function pinned({ pin }: TableRow): string {
  return [pin?.scheme, pin?.bits && `${pin.bits} bits`].filter(Boolean).join(" at ");
}

/** For each reason how many edges it leaves alone, and the first of them. */
function reasonTable(leftAlone: readonly TableRow[]): Table {
  const reasons = groups(leftAlone, ({ kind, reason }) => `${kind} ${reason}`);
  return table(
    [...reasons.values()],
    [
      { title: "left in floating point", wraps: true, value: ([first]) => first!.reason },
      { title: "edges", ...count, value: (rows) => rows.length },
      {
        title: "elements",
        ...count,
        value: (rows) => rows.reduce((sum, { elements }) => sum + elements, 0),
      },
      { title: "which", wraps: true, value: (rows) => listed(rows.map(({ id }) => id)) },
    ],
  );
}

function listed(names: readonly string[]): string {
  if (names.length <= 2) return names.join(", ");
  return `${names[0]} and ${names.length - 1} more`;
}

function classTable(classes: readonly ClassRow[], { macs: all }: Totals): Table {
  return table(classes, [
    { title: "class", value: ({ className }) => className },
    { title: "layers", ...count, value: ({ layers }) => layers },
    { title: "parameters", ...count, value: ({ parameters }) => parameters || undefined },
    { title: "in nodes", ...count, value: ({ inNodes }) => inNodes || undefined },
    { title: "MACs", ...count, value: ({ macs }) => macs || undefined },
    { title: "share", unit: "%", digits: 2, value: ({ macs }) => (macs ? (100 * macs) / all : undefined) },
  ]);
}

interface Line {
  readonly title: string;
  readonly floating: number;
  readonly assigned?: number | undefined;
}

function totalTable({ parameters, macs, floating, assigned, openDimension }: Totals): Table {
  const cost = (title: string, of: (costs: Costs) => number): Line => ({
    title,
    floating: of(floating),
    assigned: assigned && of(assigned),
  });
  const lines: Line[] = [
    { title: "parameters", floating: parameters.all },
    { title: "  trainable", floating: parameters.trainable },
    { title: "  in nodes", floating: parameters.inNodes },
    { title: "MACs per sample", floating: macs },
    cost("bit operations per sample", ({ bitOperations }) => bitOperations),
    cost("model size (bytes)", ({ modelBytes }) => modelBytes),
    cost("live activations of a sample, peak (bytes)", ({ activationBytes }) => activationBytes.peak),
    cost("stored activations of a sample, sum (bytes)", ({ activationBytes }) => activationBytes.sum),
    cost("memory, model and peak (bytes)", ({ memoryBytes }) => memoryBytes.peak),
  ];
  const bits: Column<Line>[] = [
    { title: "at assigned bits", ...count, value: ({ assigned }) => assigned },
    {
      title: "factor",
      digits: 2,
      value: ({ floating, assigned }) => (assigned ? floating / assigned : undefined),
    },
  ];
  const open = openDimension === undefined ? "" : `, with open dimensions of ${openDimension}`;
  return table(lines, [
    { title: `total${open}`, value: ({ title }) => title },
    { title: "at 32 bits", ...count, value: ({ floating }) => floating },
    ...(assigned ? bits : []),
  ]);
}
