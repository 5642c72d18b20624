import type { QuantizedModel, QuantizedNode } from "../generate/quantizedModel.js";
import { asHtml, asText, type Column, escapeHtml, type Table, table } from "../table.js";

/** What of a quantized model is told. */
export type Described = Pick<
  QuantizedModel,
  "nodes" | "leftAlone" | "batchNormalizations" | "sizes" | "provenance"
>;

interface Size {
  readonly title: string;
  readonly quantized: number;
  readonly fp32?: number | undefined;
}

/** Sizes as lines of a table: what, how much, how much in FP32, and the factor between. */
export function sizeTable({ sizes }: Described): Table {
  const { packedBytes, floatingBytes, fp32Bytes, averageBits, memoryBytes, bitOperations, macs, fp32 } =
    sizes;
  const lines: readonly Size[] = [
    { title: "weights (bytes)", quantized: packedBytes + floatingBytes, fp32: fp32Bytes },
    { title: "  in codes", quantized: packedBytes },
    { title: "  left in FP32, and factors", quantized: floatingBytes },
    { title: "average bits of weights", quantized: averageBits.weights, fp32: 32 },
    { title: "average bits of inputs", quantized: averageBits.activations, fp32: 32 },
    {
      title: "memory of a sample's pass, peak (bytes)",
      quantized: memoryBytes.peak,
      fp32: fp32?.memoryBytes.peak,
    },
    { title: "bit operations per sample", quantized: bitOperations, fp32: fp32?.bitOperations },
    ...(macs === undefined ? [] : [{ title: "multiply-accumulates per sample", quantized: macs }]),
  ];
  return table(lines, [
    { title: "size", value: ({ title }) => title },
    { title: "quantized", value: ({ quantized }) => quantized },
    { title: "in FP32", value: ({ fp32 }) => fp32 },
    { title: "factor", digits: 2, value: ({ quantized, fp32 }) => (fp32 ? fp32 / quantized : undefined) },
  ]);
}

/** One line per node. */
export function nodeTable(nodes: readonly QuantizedNode[]): Table {
  const columns: readonly Column<QuantizedNode>[] = [
    { title: "node", value: ({ id }) => id },
    { title: "scheme", value: ({ scheme }) => scheme },
    { title: "bits", value: ({ bits }) => bits },
    { title: "shape", value: ({ shape }) => shape.join(" × ") },
    { title: "values", value: ({ elements }) => elements },
    {
      title: "codes",
      unit: "B",
      value: ({ kind, elements, bits }) => (kind === "weight" ? Math.ceil((elements * bits) / 8) : undefined),
    },
    { title: "levels", value: ({ staircase }) => staircase.levels.length },
    { title: "factors", value: ({ factor }) => factor?.values.length },
    { title: "lowest", digits: 4, value: ({ staircase }) => Math.min(...staircase.levels) },
    { title: "highest", digits: 4, value: ({ staircase }) => Math.max(...staircase.levels) },
  ];
  return table(nodes, columns);
}

/** What stays in floating point, and why. */
export function leftAloneTable({ leftAlone }: Described): Table {
  return table(leftAlone, [
    { title: "left in FP32", value: ({ id }) => id },
    { title: "shape", value: ({ shape }) => shape.join(" × ") },
    { title: "why", value: ({ reason }) => reason },
  ]);
}

/** The same in short: for each reason, how many there are and the first of them. */
export function reasonTable({ leftAlone }: Described): Table {
  const short = ({ reason }: Described["leftAlone"][number]): string => reason.split(":")[0]!;
  const reasons = [...new Set(leftAlone.map(short))];
  const groups = reasons.map((why) => ({ why, edges: leftAlone.filter((edge) => short(edge) === why) }));
  return table(groups, [
    { title: "left in FP32 because", value: ({ why }) => why },
    { title: "edges", value: ({ edges }) => edges.length },
    { title: "which", value: ({ edges }) => listed(edges.map(({ id }) => id)) },
  ]);
}

/** What became of each batch normalization. */
export function normalizationTable({ batchNormalizations }: Described): Table {
  return table(batchNormalizations, [
    { title: "batch normalization", value: ({ layer }) => layer },
    { title: "folded into", value: (outcome) => ("into" in outcome ? outcome.into : undefined) },
    { title: "kept because", value: (outcome) => ("reason" in outcome ? outcome.reason : undefined) },
  ]);
}

/** The same in short: those that were folded on one line, those kept for each reason on another. */
export function normalizationSummary({ batchNormalizations }: Described): Table {
  const became = (outcome: Described["batchNormalizations"][number]): string =>
    "into" in outcome ? "folded into the layer before" : `kept: ${outcome.reason}`;
  const groups = [...new Set(batchNormalizations.map(became))].map((what) => {
    const layers = batchNormalizations.filter((outcome) => became(outcome) === what);
    return { what, layers: layers.map(({ layer }) => layer) };
  });
  return table(groups, [
    { title: "batch normalization", value: ({ what }) => what },
    { title: "layers", value: ({ layers }) => layers.length },
    { title: "which", value: ({ layers }) => listed(layers) },
  ]);
}

/** Scores on the validation split after each stage, and which of the assignments that it compared it kept. */
export function stageTable({ provenance }: Described): Table {
  return table(provenance.stages, [
    { title: "stage", value: ({ kind }) => STAGE_TITLES[kind] },
    { title: "steps", value: ({ steps }) => steps },
    { title: "validation loss", unit: "nat", digits: 4, value: ({ validation }) => validation?.loss },
    {
      title: "accuracy",
      unit: "%",
      digits: 2,
      value: ({ validation }) => validation && 100 * validation.accuracy,
    },
    { title: "kept", value: ({ chosen }) => chosen },
  ]);
}

const STAGE_TITLES = { search: "scheme search", learn: "precision learning", tune: "fine-tuning" } as const;

export function summaryText(model: Described): string {
  return parts(model, reasonTable(model), normalizationSummary(model)).map(asText).join("\n\n");
}

export function summaryHtml(model: Described): string {
  const heading = `${model.nodes.length} quantized nodes`;
  return `<section>\n<p>${escapeHtml(heading)}</p>\n${parts(model, leftAloneTable(model), normalizationTable(model)).map(asHtml).join("\n")}\n</section>`;
}

/** The tables that have a line. */
function parts(model: Described, leftAlone: Table, normalizations: Table): Table[] {
  const tables = [nodeTable(model.nodes), leftAlone, normalizations, stageTable(model), sizeTable(model)];
  return tables.filter(({ rows }) => rows.length > 0);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(", ");
  return names.length > 3 ? `${shown} and ${names.length - 3} more` : shown;
}
