import { allocate } from "../../sdk/graph/allocate.js";
import { averageTraces } from "./hessian.js";
import { lsq } from "./lsq.js";
import type { Allocate, Baseline } from "./rule.js";

/** Products with the Hessian, each with a batch of its own. */
const DRAWS = 32;

/** Rounds of rounding and of fitting the step, of which a few are enough. */
const ROUNDS = 20;

const BITWIDTHS = [1, 2, 3, 4, 5, 6, 7, 8] as const;

/**
 * Bitwidths b_i of weights: minimises sum_i Omega_i(b_i), Omega_i(b) = max(0, Tr(H_i) / n_i) ||Q_b(W_i) - W_i||^2, the metric
 * of HAWQ-V2, equation 2.11, subject to sum_i n_i b_i <= n b, by the integer program of HAWQ-V3, section 3.4. A trace below 0,
 * which only the noise of the estimate or a network far from a minimum gives, counts as 0.
 *
 * Inputs keep the bits that were asked for: the size limit of the papers is one of weights, and so the mean bitwidth of input
 * values is that of every method beside it.
 */
const byHessian: Allocate = async ({ bench, start, uniform, free, signal }) => {
  const { graph } = bench;
  const weights = graph.nodes.filter(({ kind }) => kind === "weight");
  const moving = weights.filter(({ id }) => free.has(id));
  const traces = await averageTraces(bench, start, moving, { draws: DRAWS, signal });
  const omega = new Map(
    moving.map(({ id }) => {
      const values = start.variables[id]!.data as Float32Array;
      return [id, BITWIDTHS.map((bits) => Math.max(0, traces[id]!) * squaredError(values, bits))] as const;
    }),
  );
  const sum = (of: (node: (typeof weights)[number]) => number) =>
    weights.reduce((total, node) => total + of(node), 0);
  const average = sum(({ id, elements }) => elements * uniform[id]!) / sum(({ elements }) => elements);
  const { bits } = await allocate({
    graph,
    choices: Object.fromEntries(
      graph.nodes.map(({ id }) => [id, omega.has(id) ? BITWIDTHS : [uniform[id]!]]),
    ),
    budget: { averageBits: { weights: average } },
    cost: (id, width) => omega.get(id)?.[width - 1] ?? 0,
  });
  return bits;
};

/**
 * ||Q(w) - w||^2 of evenly spaced levels s k, k = -2^(b-1) .. 2^(b-1) - 1 (with one bit -s and s), at the step s of a least
 * error: values are rounded, then s = w . k / k . k, in turns.
 */
export function squaredError(w: Float32Array, bits: number): number {
  const high = Math.max(1, 2 ** (bits - 1) - 1);
  const low = bits === 1 ? 1 : high + 1;
  const level = (v: number): number =>
    bits === 1 ? (v < 0 ? -1 : 1) : Math.min(high, Math.max(-low, Math.round(v)));
  const absolute = w.reduce((sum, value) => sum + Math.abs(value), 0) / w.length;
  const most = w.reduce((top, value) => Math.max(top, Math.abs(value)), 0);
  if (most === 0) return 0;
  let s = Math.min(most / high, (2 * absolute) / Math.sqrt(high));
  for (let round = 0; round < ROUNDS; round++) {
    let [product, square] = [0, 0];
    for (const value of w) {
      const k = level(value / s);
      product += value * k;
      square += k * k;
    }
    if (square === 0) break;
    s = product / square;
  }
  return w.reduce((sum, value) => sum + (s * level(value / s) - value) ** 2, 0);
}

/**
 * HAWQ gives bitwidths; the papers' quantizers are evenly spaced between the extremes of the values, at which two bits leave
 * little. Here levels are as even and their step is learned, by the rule of LSQ.
 */
export const hawq: Baseline = {
  name: "HAWQ + LSQ",
  source:
    "Dong et al., HAWQ-V2: Hessian aware trace-weighted quantization of neural networks, arXiv 1911.03852 (NeurIPS 2020); Yao et al., HAWQ-V3: dyadic neural network quantization, arXiv 2011.10680 (ICML 2021)",
  weights: lsq.weights,
  inputs: lsq.inputs,
  allocate: byHessian,
};
