import type { Stage } from "../loop.js";
import type { History, Observed } from "../run.js";
import { collapsing, oscillating, stuck } from "./bitwidths.js";
import { dead } from "./dead.js";
import type { Finding, FindingKind, Found } from "./finding.js";
import { premature } from "./logits.js";
import { constant, drifting, nonFinite } from "./values.js";
import { type NodeView, viewOf } from "./view.js";

/** What is looked for at every node, the gravest first. */
const CHECKS: readonly (readonly [FindingKind, (view: NodeView) => Found | undefined])[] = [
  ["non-finite", nonFinite],
  ["dead", dead],
  ["constant", constant],
  ["stuck", stuck],
  ["collapsing", collapsing],
  ["premature", premature],
  ["oscillating", oscillating],
  ["drifting", drifting],
];

/**
 * What is wrong with the nodes of a stage after the first `done` steps, in the order of the graph. A node whose bitwidth is
 * pinned, or that has a single candidate, has nothing to learn that could be stuck.
 */
export function diagnose(
  stage: Stage,
  done: number,
  history: Pick<History, "loss" | "traces">,
  observed: Observed,
): readonly Finding[] {
  return Object.freeze(
    stage.graph.nodes.flatMap((node) => {
      const view = viewOf(node, stage, done, history, observed);
      return CHECKS.flatMap(([kind, check]) => {
        const found = check(view);
        return found ? [Object.freeze({ node: node.id, kind, ...found })] : [];
      });
    }),
  );
}
