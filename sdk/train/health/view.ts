import type { QuantizingNode } from "../../graph/graph.js";
import { type Look, looksOf } from "../look.js";
import type { Stage } from "../loop.js";
import type { Own } from "../policy.js";
import type { History, Observed, Trace } from "../run.js";

/** All that was noted of one node in the steps that are done. */
export interface NodeView {
  readonly id: string;
  readonly kind: "weight" | "input";
  /** Steps that are done, and those of the whole stage. */
  readonly done: number;
  readonly steps: number;
  /** The training loss of every step, nats. */
  readonly loss: Float32Array;
  /** Where the node has a real bitwidth to be learned: its least and greatest, where it started, its way and its gradients. */
  readonly bitwidth?: Way & { readonly least: number; readonly most: number };
  /** Where the node has candidates to choose among: their logits. */
  readonly logits?: Way;
  readonly looks: readonly Look[];
}

/** Numbers that are trained, `width` of them, step after step. */
export interface Way {
  readonly width: number;
  readonly start: Float32Array;
  /** [done, width] after each step. */
  readonly values: Float32Array;
  /** [done, width], of the classification loss alone. */
  readonly gradients: Float32Array;
}

/** The view of a node of a stage. */
export function viewOf(
  node: QuantizingNode,
  { policy, steps }: Stage,
  done: number,
  { loss, traces }: Pick<History, "loss" | "traces">,
  { gradients, looks }: Observed,
): NodeView {
  const candidates = policy.candidates(node);
  const own = candidates.length > 1 ? policy.own?.(node) : undefined;
  const way = own && {
    width: own.length,
    start: (policy.parameters[own.parameter]!.data as Float32Array).slice(own.start, own.start + own.length),
    values: part(traces[own.parameter]!, own, done),
    gradients: part(gradients[own.parameter]!, own, done),
  };
  const widths = candidates.map(({ bits }) => bits);
  const limits = { least: Math.min(...widths), most: Math.max(...widths) };
  const seen = looks.nodes[node.id];
  return {
    ...{ id: node.id, kind: node.kind, done, steps, loss: loss.subarray(0, done) },
    ...(own?.parameter === "bits" && way && { bitwidth: { ...way, ...limits } }),
    ...(own?.parameter === "theta" && way && { logits: way }),
    looks: seen ? looksOf(seen, looks.steps) : [],
  };
}

/** The node's own columns of a trace. */
function part({ row, data }: Trace, { start, length }: Own, done: number): Float32Array {
  const width = row.reduce((product, size) => product * size, 1);
  const own = new Float32Array(done * length);
  for (let t = 0; t < done; t++)
    own.set(data.subarray(t * width + start, t * width + start + length), t * length);
  return own;
}

/** The first step, from 1, from which on every gradient is exactly zero; undefined where that of the last step is not. */
export function zeroSince({ gradients, width }: Way): number | undefined {
  const since = Math.floor(gradients.findLastIndex((value) => value !== 0) / width) + 2;
  return since * width <= gradients.length ? since : undefined;
}

/** Mean of the values from index `from` to before `to`. */
export function meanOf(values: Float32Array, from = 0, to = values.length): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += values[i]!;
  return sum / Math.max(1, to - from);
}
