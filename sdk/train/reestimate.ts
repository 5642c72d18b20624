import * as tf from "@tensorflow/tfjs";
import { notebook } from "../display.js";
import type { Engine } from "../engine/engine.js";
import type { QuantizedGraph } from "../graph/graph.js";
import type { Batch, Source } from "./data.js";
import { passes } from "./passes.js";
import type { Policy } from "./policy.js";
import { program, variablesOfMoments } from "./program.js";
import { type HostTensor, type Snapshot, toHost } from "./snapshot.js";
import { stateOf } from "./state.js";

/** Moments of n values per channel. */
export interface Moments {
  readonly mean: ArrayLike<number>;
  /** Biased. */
  readonly variance: ArrayLike<number>;
  readonly count: number;
}

/**
 * Measures the mean and variance of every batch normalization anew, with the quantizers of `policy` in place and frozen:
 * averages that were gathered before rounding, or while weights were still moving, belong to another network, and on small
 * networks that alone can cost points.
 *
 * One pass in training form per batch, every layer seeing inputs that were normalized by the moments of the batch; then
 * the moments are pooled over all batches, and over all calls of a shared layer (`pool`). No moving average takes part, so
 * the order of the batches does not matter. Dropout and noise are off, as they will be: they inflate variances (Li et al.,
 * 2018, "Understanding the disharmony between dropout and batch normalization by variance shift"). Wu and Johnson, 2021,
 * "Rethinking 'Batch' in BatchNorm", section 3, measure the same and call it PreciseBN.
 *
 * @param batches how many batches of training data, at most one epoch; a last, smaller batch is left out
 * @param signal by default that of the notebook's running cell
 * @throws AutoqnnError `aborted` when the signal fires.
 */
export async function reestimate(
  engine: Engine,
  graph: QuantizedGraph,
  snapshot: Snapshot,
  policy: Policy,
  source: Source,
  {
    batchSize,
    batches,
    seed,
    signal = notebook()?.signal,
  }: { batchSize: number; batches: number; seed: number; signal?: AbortSignal | undefined },
): Promise<Snapshot> {
  const step = engine.compile("re-estimate", (inputs) => ({
    ...program(graph, policy, snapshot.signed).measure(inputs),
    done: tf.scalar(1),
  }));
  const state = stateOf(graph, snapshot, policy);
  const seen = new Map<string, { readonly variance: string; readonly parts: Moments[] }>();
  let count = 0;
  try {
    const inputs = ({ x }: Batch) => ({ ...state, x });
    const how = { what: "The re-estimation of batch normalization", signal };
    const order = { batchSize, seed, epoch: 0, dropLast: true };
    for await (const { outputs } of passes(step, source.epoch(order), inputs, how)) {
      const { done: _, ...moments } = outputs;
      for (const [key, { shape, data }] of Object.entries(await toHost(moments))) {
        const { mean, variance } = variablesOfMoments(key);
        const row = (index: number) => data.subarray(index * shape[1]!, (index + 1) * shape[1]!);
        if (!seen.has(mean)) seen.set(mean, { variance, parts: [] });
        seen.get(mean)!.parts.push({ mean: row(0), variance: row(1), count: row(2)[0]! });
      }
      if (seen.size === 0) return snapshot;
      if (++count === batches) break;
    }
  } finally {
    step.dispose();
    tf.dispose(state);
  }
  const fresh = [...seen].flatMap(([name, { variance: second, parts }]): [string, HostTensor][] => {
    const { mean, variance } = pool(parts);
    return [
      [name, { ...snapshot.variables[name]!, data: mean }],
      [second, { ...snapshot.variables[second]!, data: variance }],
    ];
  });
  return { ...snapshot, variables: { ...snapshot.variables, ...Object.fromEntries(fresh) } };
}

/**
 * The moments of all values together, from those of disjoint parts: with n the sum of the counts n_i,
 * mean = sum n_i mean_i / n and variance = sum n_i (variance_i + (mean_i - mean)^2) / n, the mean of the variances plus
 * the variance of the means. Computed in float64.
 *
 * @example
 * pool([{ mean: [1], variance: [0], count: 2 }, { mean: [4], variance: [3], count: 1 }]); // mean [2], variance [3]
 */
export function pool(parts: readonly Moments[]): { mean: Float32Array; variance: Float32Array } {
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const average = (value: (part: Moments) => number): number =>
    parts.reduce((sum, part) => sum + part.count * value(part), 0) / total;
  const channels = parts[0]?.mean.length ?? 0;
  const mean = Float64Array.from({ length: channels }, (_, c) => average((part) => part.mean[c]!));
  const variance = mean.map((m, c) => average((part) => part.variance[c]! + (part.mean[c]! - m) ** 2));
  return { mean: Float32Array.from(mean), variance: Float32Array.from(variance) };
}
