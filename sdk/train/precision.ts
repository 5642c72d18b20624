import * as tf from "@tensorflow/tfjs";
import type { BudgetRow } from "../graph/budget.js";
import { type Bits, costAt } from "../graph/costs.js";
import type { Spent } from "./policy.js";

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

/** How much of every limit bitwidths use, real or whole: of a limit with several rows the one that is nearest to it. */
export function spentOf(rows: readonly BudgetRow[], bits: Bits): Spent[] {
  const worst = new Map<string, Spent>();
  for (const row of rows) {
    const spent = {
      name: row.name,
      unit: row.unit.name,
      used: costAt(row, bits) / row.unit.cost,
      limit: row.limit / row.unit.cost,
    };
    const known = worst.get(row.option);
    if (!known || spent.used / spent.limit > known.used / known.limit) worst.set(row.option, spent);
  }
  return [...worst.values()];
}
