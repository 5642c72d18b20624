import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";

/** The labels of two factors and of their product, one letter a dimension: "btd,dnh->btnh" without the signs. */
export interface Equation {
  readonly left: string;
  readonly right: string;
  readonly result: string;
}

/**
 * Reads an equation of two factors for given ranks; an ellipsis becomes letters of its own.
 *
 * @throws AutoqnnError `bad-model` for an equation that is none, or does not fit the ranks.
 * @example
 * parse("...x,xy->...y", [3, 2], "layer"); // { left: "ABx", right: "xy", result: "ABy" }
 */
export function parse(equation: string, ranks: readonly [number, number], where: string): Equation {
  const refuse = (): never => {
    throw badModel(
      `an equation of two factors of ${ranks[0]} and ${ranks[1]} dimensions`,
      `"${equation}"`,
      where,
      'Write it as "ab,bc->ac", each letter once in a factor, "..." for dimensions that pass through.',
    );
  };
  const [, left = "", right = "", result = ""] =
    /^([a-zA-Z.]*),([a-zA-Z.]*)->([a-zA-Z.]*)$/.exec(equation.replace(/\s/g, "")) ?? refuse();
  const terms = [left, right, result];
  const letters = (term: string): string => term.replace("...", "");
  const used = new Set(terms.flatMap((term) => [...letters(term)]));
  const free = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"].filter((c) => !used.has(c));
  const open = [left, right].map((term, i) =>
    term.includes("...") ? ranks[i]! - letters(term).length : ranks[i] === term.length ? 0 : -1,
  );
  const most = Math.max(...open);
  if (Math.min(...open) < 0 || most > free.length) refuse();
  // Dimensions under an ellipsis are counted from the last.
  const shown = (term: string, count: number): string =>
    term.replace("...", free.slice(most - count, most).join(""));
  const read = { left: shown(left, open[0]!), right: shown(right, open[1]!), result: shown(result, most) };
  const known = new Set(read.left + read.right);
  const once = Object.values(read).every((term) => new Set(term).size === term.length && !term.includes("."));
  if (!once || [...read.result].some((label) => !known.has(label))) refuse();
  return read;
}

/**
 * The product of two tensors by an equation: labels of both factors that the result lacks are summed over. Made of
 * transpose, reshape and matMul, which have gradients (tf.einsum has none).
 *
 * @example
 * einsum({ left: "btnh", right: "bsnh", result: "bnts" }, query, key); // attention scores
 */
export function einsum({ left, right, result }: Equation, a: tf.Tensor, b: tf.Tensor): tf.Tensor {
  const common = [...left].filter((label) => right.includes(label));
  const batch = common.filter((label) => result.includes(label));
  const summed = common.filter((label) => !result.includes(label));
  const own = (term: string): string[] =>
    [...term].filter((label) => !common.includes(label) && result.includes(label));
  const [x, y] = [alone(left, right + result, a), alone(right, left + result, b)];
  const sizes = new Map([...entries(x.term, x.tensor), ...entries(y.term, y.tensor)]);
  const size = (labels: readonly string[]): number => labels.reduce((n, label) => n * sizes.get(label)!, 1);
  const [rows, columns] = [own(left), own(right)];
  const lead = batch.length > 0 ? [size(batch)] : [];
  const p = arranged(x.term, x.tensor, [...batch, ...rows, ...summed]).reshape([
    ...lead,
    size(rows),
    size(summed),
  ]);
  const q = arranged(y.term, y.tensor, [...batch, ...summed, ...columns]).reshape([
    ...lead,
    size(summed),
    size(columns),
  ]);
  const made = [...batch, ...rows, ...columns];
  const product = tf.matMul(p, q).reshape(made.map((label) => sizes.get(label)!));
  return arranged(made.join(""), product, [...result]);
}

/** The same of one tensor: what `result` does not name is summed over, and the rest put in its order. */
export function einsumOfOne(left: string, result: string, x: tf.Tensor): tf.Tensor {
  const { term, tensor } = alone(left, result, x);
  return arranged(term, tensor, [...result]);
}

const entries = (term: string, { shape }: tf.Tensor): [string, number][] =>
  [...term].map((label, i) => [label, shape[i]!]);

/** The tensor without the dimensions that nothing else names, summed over. */
function alone(term: string, others: string, tensor: tf.Tensor): { term: string; tensor: tf.Tensor } {
  const axes = [...term].flatMap((label, i) => (others.includes(label) ? [] : [i]));
  if (axes.length === 0) return { term, tensor };
  return { term: [...term].filter((_, i) => !axes.includes(i)).join(""), tensor: tf.sum(tensor, axes) };
}

function arranged(term: string, tensor: tf.Tensor, order: readonly string[]): tf.Tensor {
  const axes = order.map((label) => term.indexOf(label));
  return axes.every((axis, i) => axis === i) ? tensor : tf.transpose(tensor, axes);
}
