import * as tf from "@tensorflow/tfjs";
import { type Budget, rows as budgetRows } from "../graph/budget.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { type SchemeName, schemeAt } from "../staircase/schemes.js";
import type { Update } from "../train/loop.js";
import type { Assignment, Candidate, Policy } from "../train/policy.js";
import { precisionLoss, spentOf } from "../train/precision.js";
import { rangeOf } from "../train/program.js";
import type { Snapshot } from "../train/snapshot.js";

/**
 * Precision learning as a policy. Each node has a real bitwidth b; its quantizer interpolates between neighbours,
 * (1 - f) Q(x; floor b) + f Q(x; ceil b) with f = b - floor b, so that dL/db = <g, Q(x; ceil b) - Q(x; floor b)>;
 * the precision loss holds the budgets (Gong et al., section 5).
 */
export interface Learning {
  readonly policy: Policy;
  /** The update of b, with its own learning rate. */
  readonly update: Update;
  /** Allowed integer bitwidths of each node, ascending and without gaps. */
  readonly choices: Readonly<Record<string, readonly number[]>>;
  /** Real bitwidths by node, out of the parameter "bits" [N]. */
  bits(values: Float32Array): Record<string, number>;
  /** What stands at every node for given integer bitwidths. */
  assignment(bits: Readonly<Record<string, number>>): Assignment;
}

export function learning(
  graph: QuantizedGraph,
  signed: Snapshot["signed"],
  schemes: Readonly<Record<string, SchemeName>>,
  {
    budget,
    bits: [least, most],
    start,
    learningRate,
    warmup,
  }: { budget: Budget; bits: readonly [number, number]; start: number; learningRate: number; warmup: number },
): Learning {
  const candidates = Object.fromEntries(
    graph.nodes.map((node) => {
      const range = rangeOf(node, signed[node.id] ?? true);
      const list: Candidate[] = [];
      for (let bits = node.pin?.bits ?? least; bits <= (node.pin?.bits ?? most); bits++) {
        list.push({ scheme: schemeAt(schemes[node.id]!, bits, range), bits });
      }
      return [node.id, list];
    }),
  );
  const ids = graph.nodes.map((node) => node.id);
  const lowest = Float32Array.from(ids, (id) => candidates[id]!.at(0)!.bits);
  const highest = Float32Array.from(ids, (id) => candidates[id]!.at(-1)!.bits);
  const limits = budgetRows(budget, graph);

  const policy: Policy = {
    candidates: (node) => candidates[node.id]!,
    identity: JSON.stringify(budget),
    parameters: {
      bits: {
        shape: [ids.length],
        dtype: "float32",
        data: lowest.map((low, i) => Math.min(Math.max(start, low), highest[i]!)),
      },
    },
    mix: ({ bits }) => {
      // At the upper end the pair is (most - 1, most) with f = 1, so that the gradient is that of the last step down.
      const lastPair = tf.maximum(tf.tensor1d(lowest), tf.sub(tf.tensor1d(highest), 1));
      const lower = constant(() => tf.minimum(tf.floor(bits!), lastPair));
      const fraction = tf.unstack(tf.sub(bits!, lower));
      const lowers = tf.unstack(lower);
      return Object.fromEntries(
        ids.map((id, index) => {
          const widths = tf.tensor1d(candidates[id]!.map((candidate) => candidate.bits));
          const below = tf.cast(tf.equal(widths, lowers[index]!), "float32");
          const above = tf.cast(tf.equal(widths, tf.add(lowers[index]!, 1)), "float32");
          const f = fraction[index]!;
          const p = tf.add(tf.mul(below, tf.sub(1, f)), tf.mul(above, f)) as tf.Tensor1D;
          return [id, { p, active: tf.add(below, above) as tf.Tensor1D }];
        }),
      );
    },
    own: (node) => ({ parameter: "bits", start: ids.indexOf(node.id), length: 1 }),
    penalty: ({ bits }) => precisionLoss(limits, ids, bits!),
    rows: ids.map((name) => ({ name, candidates: candidates[name]! })),
    spent: ({ bits }) => spentOf(limits, Object.fromEntries(ids.map((id, index) => [id, bits![index]!]))),
    project: (_name, value) => tf.minimum(tf.maximum(value, tf.tensor1d(lowest)), tf.tensor1d(highest)),
  };

  return {
    policy,
    update: { parameters: "bits", schedule: { peak: learningRate, warmup, floor: 1 } },
    choices: Object.fromEntries(ids.map((id) => [id, candidates[id]!.map(({ bits }) => bits)])),
    bits: (values) => Object.fromEntries(ids.map((id, index) => [id, values[index]!])),
    assignment: (bits) =>
      Object.fromEntries(
        ids.map((id) => [id, candidates[id]!.find((candidate) => candidate.bits === bits[id])!]),
      ),
  };
}

/** What `compute` returns as a constant: comparing it, to find the pair of neighbours, has no gradient. */
function constant(compute: () => tf.Tensor): tf.Tensor {
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))();
}
