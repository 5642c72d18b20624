import type { QuantizedGraph } from "../graph/graph.js";
import { fit } from "../staircase/schemes.js";
import { STATISTICS } from "../staircase/statistics.js";
import type { Assignment } from "../train/policy.js";
import { rangeOf } from "../train/program.js";
import type { Snapshot } from "../train/snapshot.js";

const [MINIMUM, MAXIMUM] = [STATISTICS.indexOf("minimum"), STATISTICS.indexOf("maximum")];

/**
 * A calibrated snapshot with scales by which the levels of inputs in `fixed` end where the values do. By itself the scheme
 * takes the next power of two, which leaves up to half of its levels unused; training moves scales by itself.
 */
export function spanned(graph: QuantizedGraph, snapshot: Snapshot, assignment: Assignment): Snapshot {
  const scales = { ...snapshot.scales };
  for (const node of graph.nodes) {
    const candidate = assignment[node.id];
    const statistics = snapshot.statistics[node.id];
    if (node.kind !== "input" || candidate?.scheme !== "fixed" || !statistics) continue;
    const range = rangeOf(node, snapshot.signed[node.id] ?? true);
    const { levels } = fit("fixed", candidate.bits, statistics, range);
    const [lowest, highest] = [levels[0]!, levels.at(-1)!];
    const scale = Math.max(statistics[MAXIMUM]! / highest, lowest < 0 ? statistics[MINIMUM]! / lowest : 0);
    if (scale > 0 && Number.isFinite(scale)) scales[node.id] = scale;
  }
  return { ...snapshot, scales };
}
