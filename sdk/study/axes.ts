import { AutoqnnError } from "../errors.js";
import type { QuantizingNode } from "../graph/graph.js";
import type { LearnPrecisionOptions, SearchSchemesOptions } from "../plan.js";
import type { Written, WrittenStage } from "../written.js";
import type { Cell } from "./cell.js";

type Schemes = readonly Exclude<
  NonNullable<SearchSchemesOptions["candidates"]>,
  { weights: unknown }
>[number][];

/** The axes that a study can apply to a plan by itself. */
export interface KnownAxes {
  /** Of the scheme search: a scheme for each node, or one for the whole model. */
  readonly granularity: NonNullable<SearchSchemesOptions["granularity"]>;
  /** Of the scheme search: the schemes that stand to choice. */
  readonly candidates: Schemes | { readonly weights: Schemes; readonly activations: Schemes };
  /** Of precision learning. */
  readonly budget: NonNullable<LearnPrecisionOptions["budget"]>;
  /** The bitwidth at which all nodes of the first and of the last quantized layer are pinned, or "free". */
  readonly firstLast: number | "free";
  /** Of the plan: what every random choice is drawn from. */
  readonly seed: number;
}

/** How an axis is applied to a plan. */
interface Axis {
  /** The stage that has the option; absent where it is the plan's. */
  readonly stage?: WrittenStage["name"];
  readonly apply: (text: Written, value: unknown, nodes: readonly QuantizingNode[]) => Written;
}

const AXES: Readonly<Record<keyof KnownAxes, Axis>> = {
  granularity: ofStage("searchSchemes", "granularity"),
  candidates: ofStage("searchSchemes", "candidates"),
  budget: ofStage("learnPrecision", "budget"),
  firstLast: { apply: pinnedEnds },
  seed: { apply: (text, seed) => ({ ...text, options: { ...text.options, seed } }) },
};

function ofStage(stage: WrittenStage["name"], option: string): Axis {
  return {
    stage,
    apply: (text, value) => ({
      ...text,
      stages: text.stages.map((written) =>
        written.name === stage ? { ...written, options: { ...written.options, [option]: value } } : written,
      ),
    }),
  };
}

/** The plan's own pins of these nodes give way. */
function pinnedEnds(text: Written, bits: unknown, nodes: readonly QuantizingNode[]): Written {
  if (bits === "free") return text;
  const ends = [nodes[0]?.layer, nodes.at(-1)?.layer];
  const pins = nodes.filter(({ layer }) => ends.includes(layer)).map(({ id }) => [id, { bits }]);
  const pin = { ...(text.options.pin as object | undefined), ...Object.fromEntries(pins) };
  return { ...text, options: { ...text.options, pin } };
}

/** Throws AutoqnnError `bad-option` for an axis that is not known, or whose stage the plan has not. */
export function checkAxes(text: Written, axes: readonly string[]): void {
  for (const name of axes) {
    if (!Object.hasOwn(AXES, name)) {
      throw new AutoqnnError(
        "bad-option",
        `Expected an axis among ${Object.keys(AXES).join(", ")}, received "${name}".`,
        "For any other, give a function that makes the plan of a cell: study((cell) => autoqnn(...)).",
      );
    }
    const { stage } = AXES[name as keyof KnownAxes];
    if (!stage || text.stages.some((written) => written.name === stage)) continue;
    throw new AutoqnnError(
      "bad-option",
      `Expected a plan with .${stage}() for the axis "${name}", received one with ${text.stages.map((written) => `.${written.name}()`).join("") || "no stage"}.`,
      `Add .${stage}() to the plan, or leave the axis out.`,
    );
  }
}

/** The plan of a cell: `text` with the cell's values in their places. `nodes` in the order in which they are computed. */
export function applied(text: Written, nodes: readonly QuantizingNode[], cell: Cell): Written {
  return Object.entries(cell).reduce(
    (changed, [name, value]) =>
      value === undefined ? changed : AXES[name as keyof KnownAxes].apply(changed, value, nodes),
    text,
  );
}
