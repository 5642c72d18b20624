import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { einsumOfOne, einsum as product } from "../layers/einsum.js";
import type { Shape } from "./arguments.js";
import { broadcast, size } from "./row.js";

/** An equation with a letter for every axis: "..." has become letters of its own, the same ones everywhere. */
interface Equation {
  readonly inputs: readonly string[];
  readonly output: string;
}

function refuse(equation: string, why: string): never {
  throw badModel(
    "an equation of axes such as ij,jk->ik",
    `"${equation}" ${why}`,
    "einsum",
    "Write the axes out.",
  );
}

function parse(equation: string, ranks: readonly number[]): Equation {
  const [left = "", right] = equation.replace(/\s/g, "").split("->");
  const terms = left.split(",");
  if (terms.length !== ranks.length) refuse(equation, `with ${ranks.length} tensors`);
  const hidden = Math.max(
    0,
    ...terms.map((term, i) => (term.includes("...") ? ranks[i]! - term.length + 3 : 0)),
  );
  const extra = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    .filter((letter) => !equation.includes(letter))
    .slice(0, hidden)
    .join("");
  const spell = (term: string, count: number): string => term.replace("...", extra.slice(hidden - count));
  const inputs = terms.map((term, i) => spell(term, ranks[i]! - term.length + 3));
  for (const [i, term] of inputs.entries()) {
    if (term.length !== ranks[i]) refuse(equation, `with a tensor of ${ranks[i]} axes`);
    if (new Set(term).size !== term.length) refuse(equation, "with an axis twice in one tensor");
  }
  const all = [...inputs.join("")];
  const once = [...new Set(all)].filter(
    (letter) => all.filter((each) => each === letter).length === 1 && !extra.includes(letter),
  );
  const output = right === undefined ? extra + once.sort().join("") : spell(right, hidden);
  if ([...output].some((letter) => !all.includes(letter))) refuse(equation, "with an axis that nothing has");
  return { inputs, output };
}

type Sizes = ReadonlyMap<string, number>;

function sizesOf({ inputs }: Equation, shapes: readonly Shape[]): Sizes {
  const sizes = new Map<string, number>();
  for (const [i, term] of inputs.entries()) {
    for (const [j, letter] of [...term].entries()) {
      sizes.set(letter, broadcast([sizes.get(letter) ?? 1], [shapes[i]![j]!])[0]!);
    }
  }
  return sizes;
}

/** The shape of an einsum. */
export function einsumShape(equation: string, shapes: readonly Shape[]): Shape {
  const parsed = parse(
    equation,
    shapes.map((shape) => shape.length),
  );
  const sizes = sizesOf(parsed, shapes);
  return [...parsed.output].map((letter) => sizes.get(letter)!);
}

/**
 * Multiply-accumulates of an einsum, joined from the left: for every two tensors one for each combination of positions,
 * without the axes that only one of them has and nothing wants any more, which are summed before.
 */
export function contraction(equation: string, shapes: readonly Shape[]): number {
  const parsed = parse(
    equation,
    shapes.map((shape) => shape.length),
  );
  const sizes = sizesOf(parsed, shapes);
  let [macs, left] = [0, parsed.inputs[0]!];
  for (const [i, right] of parsed.inputs.slice(1).entries()) {
    const later = parsed.output + parsed.inputs.slice(i + 2).join("");
    const letters = [...new Set(left + right)];
    const shared = letters.filter((letter) => left.includes(letter) && right.includes(letter));
    const wanted = letters.filter((letter) => later.includes(letter));
    macs += size([...new Set([...shared, ...wanted])].map((letter) => sizes.get(letter)!));
    left = wanted.join("");
  }
  return macs;
}

/**
 * Sums of products over the axes that the output leaves out, after Einstein. Several tensors are joined from the left, two
 * at a time.
 *
 * @example
 * einsum("bij,bjk->bik", [x, y]); // a batch of matrix products
 */
export function einsum(equation: string, tensors: readonly tf.Tensor[]): tf.Tensor {
  const { inputs, output } = parse(
    equation,
    tensors.map((x) => x.rank),
  );
  const sizes = sizesOf(
    { inputs, output },
    tensors.map((x) => x.shape),
  );
  // Axes of one that others have longer are made as long.
  const wide = tensors.map((x, i) => {
    const shape = [...inputs[i]!].map((letter) => sizes.get(letter)!);
    return String(shape) === String(x.shape) ? x : tf.broadcastTo(x, shape);
  });
  if (wide.length === 1) return einsumOfOne(inputs[0]!, output, wide[0]!);
  let [joined, left] = [wide[0]!, inputs[0]!];
  for (const [i, right] of inputs.slice(1).entries()) {
    const later = output + inputs.slice(i + 2).join("");
    const all = [...new Set(left + right)].filter((letter) => later.includes(letter)).join("");
    const result = i + 2 === inputs.length ? output : all;
    joined = product({ left, right, result }, joined, wide[i + 1]!);
    left = result;
  }
  return joined;
}
