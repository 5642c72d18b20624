import { quantize } from "../../sdk/engine/ops.js";
import { tf } from "../../sdk/index.js";
import type { HostTensor } from "../../sdk/train/snapshot.js";
import type { Baseline, Look, Rule } from "./rule.js";
import { exceeds, straight } from "./straight.js";

/** The share of the basis before, in the running mean of bases (section 3.3). */
const MOMENTUM = 0.9;

/** r: keeps the normal equations solvable where levels are empty, as in the authors' code. */
const RIDGE = 1e-4;

/** The median of |z| for a standard normal z: where the authors' code starts. */
const MEDIAN = 0.6745;

/** All codes of `bits` bits, one a row; bits of weights are -1 and 1, those of inputs 0 and 1. */
const codes = (bits: number, low: number): number[][] =>
  Array.from({ length: 2 ** bits }, (_, i) =>
    Array.from({ length: bits }, (_, j) => ((i >> j) % 2 === 0 ? low : 1)),
  );

/** A basis [bits, columns], every column the same. */
const start = (bits: number, columns: number, unit: number): HostTensor => ({
  shape: [bits, columns],
  dtype: "float32",
  data: Float32Array.from({ length: bits * columns }, (_, i) => unit * 2 ** Math.floor(i / columns)),
});

/**
 * One round of the paper's algorithm 1 on columns of values: levels are all sums of basis elements by their codes; each
 * value takes the nearest; then the basis is solved anew by least squares, v = (B B^T)^-1 B x (equation 6), column by column.
 *
 * @param x [n, columns]
 * @param basis [bits, columns]
 * @returns thresholds [levels - 1, columns] and levels [levels, columns], ascending, of the basis as it was, and the solved one
 */
export function round(
  x: tf.Tensor2D,
  basis: tf.Tensor2D,
  low: -1 | 0,
): { levels: tf.Tensor2D; thresholds: tf.Tensor2D; solved: tf.Tensor2D } {
  const bits = basis.shape[0];
  const count = 2 ** bits;
  const table = tf.tensor2d(codes(bits, low));
  const sums = tf.transpose(tf.matMul(table, basis));
  const { values, indices } = tf.topk(sums, count);
  const levels = tf.transpose(tf.reverse(values, 1)) as tf.Tensor2D;
  const order = tf.reverse(indices, 1);
  const thresholds = tf.div(
    tf.add(tf.slice(levels, [0, 0], [count - 1, -1]), tf.slice(levels, [1, 0], [count - 1, -1])),
    2,
  ) as tf.Tensor2D;
  // How many values lie above each threshold, and their sum, give both for each level by differences.
  const above = tf.unstack(thresholds).map((threshold) => exceeds(x, threshold));
  const all = tf.onesLike(x);
  const perLevel = [all, ...above].map((mask, k) => (k < above.length ? tf.sub(mask, above[k]!) : mask));
  const numbers = tf.stack(perLevel.map((mask) => tf.sum(mask, 0)));
  const totals = tf.stack(perLevel.map((mask) => tf.sum(tf.mul(mask, x), 0)));
  // The code of each level: [columns, levels, bits].
  const coded = tf.reshape(tf.gather(table, tf.reshape(order, [-1])), [x.shape[1], count, bits]);
  const weighted = tf.mul(coded, tf.expandDims(tf.transpose(numbers), 2));
  const products = tf.matMul(coded, weighted, true, false);
  const sides = tf.matMul(coded, tf.expandDims(tf.transpose(totals), 2), true, false);
  const solved = solve(products, sides, tf.expandDims(tf.transpose(basis), 2));
  return { levels, thresholds, solved: tf.transpose(tf.squeeze(solved, [2])) as tf.Tensor2D };
}

/** (A + r I)^-1 (b + r v) for every column: A [columns, n, n] positive, b and v [columns, n, 1]; by elimination. */
function solve(a: tf.Tensor, b: tf.Tensor, v: tf.Tensor): tf.Tensor {
  const n = a.shape[1]!;
  const left = tf.add(a, tf.mul(tf.eye(n), RIDGE));
  let rows = tf.unstack(tf.concat([left, tf.add(b, tf.mul(v, RIDGE))], 2), 1);
  for (let pivot = 0; pivot < n; pivot++) {
    const entry = (row: tf.Tensor) => tf.slice(row, [0, pivot], [-1, 1]);
    const normal = tf.div(rows[pivot]!, entry(rows[pivot]!));
    rows = rows.map((row, i) => (i === pivot ? normal : tf.sub(row, tf.mul(entry(row), normal))));
  }
  return tf.stack(
    rows.map((row) => tf.slice(row, [0, n], [-1, 1])),
    1,
  );
}

/** The running mean of bases. */
const moved = (basis: tf.Tensor, solved: tf.Tensor): tf.Tensor =>
  tf.add(tf.mul(basis, MOMENTUM), tf.mul(solved, 1 - MOMENTUM));

const columnsOf = ({ shape, channelAxes }: Look): number =>
  shape.slice(shape.length - channelAxes).reduce((product, n) => product * n, 1);

/** Weights: a basis for each output channel, codes of -1 and 1, the gradient straight through. */
const weights: Rule = {
  initial: (look) => {
    const unit = (MEDIAN * look.statistic("deviation")) / 2 ** (look.bits - 1);
    return { basis: start(look.bits, columnsOf(look), unit) };
  },
  following: ["basis"],
  quantize: (w, { basis }, look) => {
    const x = tf.reshape(w, [-1, columnsOf(look)]) as tf.Tensor2D;
    const { levels, thresholds, solved } = round(x, basis as tf.Tensor2D, -1);
    const [first, ...others] = tf.unstack(levels);
    const stepped = tf
      .unstack(thresholds)
      .map((threshold, k) => {
        const jump = tf.sub(others[k]!, k === 0 ? first! : others[k - 1]!);
        return tf.mul(exceeds(x, threshold), jump);
      })
      .reduce((sum, step) => tf.add(sum, step), tf.zerosLike(x));
    const value = tf.reshape(tf.add(stepped, first!), w.shape);
    return { y: straight(w, () => value), moved: { basis: moved(basis!, solved) } };
  },
};

/** Inputs: one basis, codes of 0 and 1 (of -1 and 1 where values are negative), the gradient that of clipping at the greatest level. */
const inputs: Rule = {
  initial: ({ bits, statistic }) => ({
    basis: start(bits, 1, (2 * MEDIAN * statistic("rectifiedRms")) / (2 ** bits - 1)),
  }),
  following: ["basis"],
  quantize: (x, { basis }, { signed }) => {
    const column = tf.reshape(x, [-1, 1]) as tf.Tensor2D;
    const { levels, thresholds, solved } = round(column, basis as tf.Tensor2D, signed ? -1 : 0);
    const [line, ends] = [tf.reshape(levels, [-1]) as tf.Tensor1D, levels.shape[0]];
    const most = tf.slice(line, ends - 1, 1);
    const steps = tf.sub(tf.slice(line, 1), tf.slice(line, 0, ends - 1)) as tf.Tensor1D;
    const y = quantize(tf.minimum(x, most), {
      thresholds: tf.reshape(thresholds, [-1]) as tf.Tensor1D,
      steps,
      base: tf.squeeze(tf.slice(line, 0, 1)) as tf.Scalar,
    });
    return { y, moved: { basis: moved(basis!, solved) } };
  },
};

export const lqNets: Baseline = {
  name: "LQ-Nets",
  source: "Zhang et al., LQ-Nets, arXiv 1807.10029 (ECCV 2018)",
  weights,
  inputs,
};
