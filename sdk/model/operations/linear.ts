import * as tf from "@tensorflow/tfjs";
import type { Arguments, Shape } from "./arguments.js";
import { contraction, einsum, einsumShape } from "./einsum.js";
import { broadcast, type Operation, type Operations, size } from "./row.js";

/** Matrices as they are multiplied: transposed where asked for, vectors made matrices of one row or column. */
interface Matrices {
  readonly x: Shape;
  readonly y: Shape;
  readonly batch: Shape;
  /** The result's own shape, without the axes that vectors were given. */
  readonly result: Shape;
}

const turned = (shape: Shape, transpose: boolean): Shape =>
  transpose ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape;

function matrices(a: Arguments): Matrices {
  const [vectorX, vectorY] = [a.shape("x").length === 1, a.shape("y").length === 1];
  const x = vectorX ? [1, ...a.shape("x")] : turned(a.shape("x"), transposed(a, "X"));
  const y = vectorY ? [...a.shape("y"), 1] : turned(a.shape("y"), transposed(a, "Y"));
  if (x.at(-1) !== y.at(-2)) a.refuse("y", `${x.at(-1)} rows`);
  const batch = broadcast(x.slice(0, -2), y.slice(0, -2));
  const rows = vectorX ? [] : [x.at(-2)!];
  const columns = vectorY ? [] : [y.at(-1)!];
  return { x, y, batch, result: [...batch, ...rows, ...columns] };
}

const transposed = (a: Arguments, side: "X" | "Y"): boolean =>
  a.flag(`transpose${side}`) || a.flag(`adjoint${side}`);

function swapLast(x: tf.Tensor): tf.Tensor {
  const order = x.shape.map((_, i) => i);
  return tf.transpose(x, [...order.slice(0, -2), x.rank - 1, x.rank - 2]);
}

/** tfjs's gradient of a product does not sum over what was broadcast, so that is made explicit. */
const matmul: Operation = {
  compute: (a) => {
    const { x, y, batch, result } = matrices(a);
    const side = (name: "x" | "y", shape: Shape): tf.Tensor => {
      const t = a.tensor(name);
      const turn = t.rank > 1 && transposed(a, name === "x" ? "X" : "Y");
      return tf.reshape(turn ? swapLast(t) : t, [...shape]);
    };
    const [left, right] = [side("x", x), side("y", y)];
    if (y.length === 2) {
      return tf.reshape(tf.matMul(tf.reshape(left, [-1, x.at(-1)!]) as tf.Tensor2D, right as tf.Tensor2D), [
        ...result,
      ]);
    }
    const wide = (t: tf.Tensor): tf.Tensor => {
      const shape = [...batch, ...t.shape.slice(-2)];
      const full = String(shape) === String(t.shape) ? t : tf.broadcastTo(t, shape);
      return tf.reshape(full, [-1, ...t.shape.slice(-2)]);
    };
    const product = tf.matMul(wide(left) as tf.Tensor3D, wide(right) as tf.Tensor3D);
    return tf.reshape(product, [...result]);
  },
  shape: (a) => matrices(a).result,
  macs: (a) => size(matrices(a).result) * matrices(a).x.at(-1)!,
};

const letters = (count: number, from = 0): string =>
  Array.from({ length: count }, (_, i) => String.fromCharCode(97 + from + i)).join("");

/** numpy.tensordot as an einsum. `axes`: how many last axes of x meet the first of y, or one list for each. */
function tensordotEquation(a: Arguments): string {
  const [m, n] = [a.shape("x").length, a.shape("y").length];
  const axes = a.has("axes") ? a.value("axes") : 2;
  const [left, right] = Array.isArray(axes)
    ? [a.with({ axes: axes[0] }).axes("axes", m), a.with({ axes: axes[1] }).axes("axes", n)]
    : pairOf(a.with({ axes }).integer("axes"), m);
  const x = letters(m);
  const y = Array.from(letters(n, m), (letter, i) =>
    right.includes(i) ? x[left[right.indexOf(i)]!]! : letter,
  ).join("");
  const free =
    [...x].filter((_, i) => !left.includes(i)).join("") +
    [...y].filter((_, i) => !right.includes(i)).join("");
  return `${x},${y}->${free}`;
}

function pairOf(count: number, rank: number): [number[], number[]] {
  const indices = Array.from({ length: count }, (_, i) => i);
  return [indices.map((i) => rank - count + i), indices];
}

/** numpy.dot: the last axis of x meets the last but one of y. */
function dotEquation(a: Arguments): string {
  const [m, n] = [a.shape("x").length, a.shape("y").length];
  const x = letters(m);
  const y = letters(n, m);
  const meet = Math.max(n - 2, 0);
  if (m === 0 || n === 0) return `${x},${y}->${x}${y}`;
  const joined = y.slice(0, meet) + x.at(-1) + y.slice(meet + 1);
  return `${x},${joined}->${x.slice(0, -1)}${y.slice(0, meet)}${y.slice(meet + 1)}`;
}

function innerEquation(a: Arguments): string {
  const [x, y] = [letters(a.shape("x").length), letters(a.shape("y").length, a.shape("x").length)];
  return `${x},${y.slice(0, -1)}${x.at(-1)}->${x.slice(0, -1)}${y.slice(0, -1)}`;
}

const contracted = (equation: (a: Arguments) => string): Operation => ({
  compute: (a) => einsum(equation(a), [a.tensor("x"), a.tensor("y")]),
  shape: (a) => einsumShape(equation(a), [a.shape("x"), a.shape("y")]),
  macs: (a) => contraction(equation(a), [a.shape("x"), a.shape("y")]),
});

/** Products of matrices and their like. */
export const LINEAR: Operations = {
  matmul,
  einsum: {
    compute: (a) => einsum(a.text("equation"), a.tensors("xs")),
    shape: (a) => einsumShape(a.text("equation"), a.shapes("xs")),
    macs: (a) => contraction(a.text("equation"), a.shapes("xs")),
  },
  tensordot: contracted(tensordotEquation),
  dot: contracted(dotEquation),
  inner: contracted(innerEquation),
  outer: {
    compute: (a) => tf.mul(tf.reshape(a.tensor("x"), [-1, 1]), tf.reshape(a.tensor("y"), [1, -1])),
    shape: (a) => [size(a.shape("x")), size(a.shape("y"))],
  },
};
