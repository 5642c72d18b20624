import type { SchemeName } from "../staircase/schemes.js";
import type { Figure } from "./panels.js";
import { axis, listed, schemeFill } from "./style.js";

/** A node whose values take `elements` times `bits`. */
export interface SizedNode {
  readonly id: string;
  readonly kind: "weight" | "input";
  readonly elements: number;
  readonly bits: number;
  readonly scheme: SchemeName;
}

/** What the values of the nodes of each kind take. */
const KINDS = {
  weight: { title: "Where the bits go: codes of the weights", unit: "size of codes (KB)" },
  input: { title: "Where the bits go: layer inputs of one sample", unit: "size of inputs per sample (KB)" },
} as const;

/**
 * What every node of one kind takes of the memory, the most first, with its share of them all: in KB of 1000 bytes, in the
 * colour of its scheme.
 *
 * @example
 * const { data, layout } = whereBitsGo(quantized.nodes, "weight");
 */
export function whereBitsGo(nodes: readonly SizedNode[], kind: "weight" | "input"): Figure {
  const sized = nodes
    .filter((node) => node.kind === kind)
    .map((node) => ({ ...node, kilobytes: (node.elements * node.bits) / 8000 }))
    .toSorted((a, b) => b.kilobytes - a.kilobytes);
  const total = sized.reduce((sum, { kilobytes }) => sum + kilobytes, 0);
  const share = (kilobytes: number): string => `${((100 * kilobytes) / total).toFixed(1)} %`;
  const data = [...new Set(sized.map(({ scheme }) => scheme))].map((scheme) => {
    const own = sized.filter((node) => node.scheme === scheme);
    return {
      type: "bar",
      orientation: "h",
      name: scheme,
      y: own.map(({ id }) => id),
      x: own.map(({ kilobytes }) => kilobytes),
      text: own.map(({ kilobytes, bits }) => `${share(kilobytes)} · ${bits} bit`),
      textposition: "outside",
      // A label beside the longest bar would be cut at the end of the axis.
      cliponaxis: false,
      marker: schemeFill(scheme),
      hovertemplate: `%{y}: %{x:.3f} KB, %{text}<extra>${scheme}</extra>`,
    };
  });
  const { title, unit } = KINDS[kind];
  return {
    data,
    layout: listed(
      title,
      sized.map(({ id }) => id),
      {
        barmode: "overlay",
        bargap: 0.3,
        showlegend: true,
        margin: { l: 60, r: 110, t: 84, b: 56 },
        xaxis: axis(unit, { rangemode: "tozero" }),
      },
    ),
  };
}
