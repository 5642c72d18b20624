import * as tf from "@tensorflow/tfjs";
import type { BudgetRow } from "../graph/budget.js";

/** Weight of the precision loss against the classification loss. */
const STRENGTH = 5;

/**
 * The precision loss: sum over budgets of 5 max(0, cost(b) / limit - 1)^2, the squared hinge on the relative excess.
 *
 * @param rows the budgets, as functions of the nodes' bitwidths
 * @param bits real bitwidths [N] in the order of `nodes`
 */
export function precisionLoss(
  rows: readonly BudgetRow[],
  nodes: readonly string[],
  bits: tf.Tensor,
): tf.Tensor {
  const position = new Map(nodes.map((id, index) => [id, index]));
  let total: tf.Tensor = tf.scalar(0);
  for (const { limit, constant, terms, products = [] } of rows) {
    const coefficients = new Float32Array(nodes.length);
    for (const { node, coefficient } of terms) coefficients[position.get(node)!]! += coefficient / limit;
    let cost = tf.add(tf.sum(tf.mul(bits, tf.tensor1d(coefficients))), constant / limit);
    if (products.length > 0) {
      const at = (ids: readonly string[]) =>
        tf.gather(
          bits,
          tf.tensor1d(
            ids.map((id) => position.get(id)!),
            "int32",
          ),
        );
      const weight = tf.tensor1d(products.map(({ coefficient }) => coefficient / limit));
      const pairs = tf.mul(at(products.map((p) => p.weight)), at(products.map((p) => p.input)));
      cost = tf.add(cost, tf.sum(tf.mul(pairs, weight)));
    }
    total = tf.add(total, tf.square(tf.relu(tf.sub(cost, 1))));
  }
  return tf.mul(total, STRENGTH);
}
