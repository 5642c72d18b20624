import { AutoqnnError } from "../errors.js";
import type { QuantizingNode } from "../graph/graph.js";
import { bitsOf, type SchemeName, schemes } from "../staircase/schemes.js";
import type { Candidate } from "../train/policy.js";
import { rangeOf } from "../train/program.js";

/**
 * The schemes and bitwidths that may stand at a node: each scheme at each requested bitwidth, or at its largest where it
 * ends below (binary has 1 bit, ternary and quaternary 2). Nodes whose values are never negative take the range-aware
 * forms, which only clip, zoom, fixed and pot have.
 *
 * Throws AutoqnnError `bad-option` when nothing is left.
 */
export function candidatesAt(
  node: QuantizingNode,
  signed: boolean,
  space: {
    readonly schemes: { weights: readonly SchemeName[]; activations: readonly SchemeName[] };
    readonly bits: readonly number[];
  },
): readonly Candidate[] {
  const range = rangeOf(node, signed);
  const { pin } = node;
  const names = pin?.scheme
    ? [pin.scheme]
    : node.kind === "weight"
      ? space.schemes.weights
      : space.schemes.activations;
  const widths = pin?.bits ? [pin.bits] : space.bits;
  const found = new Map<string, Candidate>();
  for (const scheme of names) {
    const limits = bitsOf(scheme, range);
    for (const requested of widths) {
      if (!limits || requested < limits[0]) continue;
      const bits = Math.min(requested, limits[1]);
      found.set(`${scheme}/${bits}`, { scheme, bits });
    }
  }
  if (found.size === 0) {
    throw new AutoqnnError(
      "bad-option",
      `Expected candidates for "${node.id}" (${range.signed ? "signed" : "never negative"}), received ${names.join(", ") || "none"} at ${widths.join(", ")} bits, none of which it can take.`,
      range.signed
        ? `Choose among ${Object.keys(schemes).join(", ")}.`
        : "Add clip, zoom, fixed or pot, which have a range-aware form.",
    );
  }
  return [...found.values()];
}
