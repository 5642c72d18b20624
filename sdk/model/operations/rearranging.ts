import * as tf from "@tensorflow/tfjs";
import type { Arguments } from "./arguments.js";
import { type Operation, type Operations, size } from "./row.js";

/** Positions in one axis for each position of the result. */
const lookedUp = (
  indices: (n: number, a: Arguments, axis: number) => readonly number[],
  named = "axis",
): Operation => ({
  compute: (a) => {
    const x = a.has(named) ? a.tensor("x") : tf.reshape(a.tensor("x"), [-1]);
    const axis = a.axis(named, x.rank, 0);
    return tf.gather(x, tf.tensor1d([...indices(x.shape[axis]!, a, axis)], "int32"), axis);
  },
  shape: (a) => {
    const shape = a.has(named) ? a.shape("x") : [size(a.shape("x"))];
    const axis = a.axis(named, shape.length, 0);
    return shape.with(axis, indices(shape[axis]!, a, axis).length);
  },
  moves: true,
});

/** 0 .. n - 1 */
export const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Position i of an axis that was mirrored at its ends (`edge` 0: they stand once; 1: twice), or held at them. */
function mirrored(i: number, n: number, mode: string): number {
  if (mode === "edge" || n === 1) return Math.min(Math.max(i, 0), n - 1);
  const edge = mode === "symmetric" ? 1 : 0;
  const period = 2 * (n - 1 + edge);
  const at = ((i % period) + period) % period;
  return at < n ? at : period - edge - at;
}

/** Before and after each axis; one pair, or one number, stands for all. */
function paddings(a: Arguments): readonly (readonly number[])[] {
  const rows = a.rows("paddings");
  const rank = a.shape("x").length;
  if (rows.every((row) => row.length === 2) && rows.length === rank) return rows;
  const [before, after = before] = rows.flat();
  return Array.from({ length: rank }, () => [before!, after!]);
}

const pad: Operation = {
  compute: (a) => {
    const x = a.tensor("x");
    const width = paddings(a);
    const mode = a.word("mode", "constant");
    if (mode === "constant")
      return tf.pad(
        x,
        width.map(([before, after]) => [before!, after!]),
        a.number("value", 0),
      );
    if (!["reflect", "symmetric", "edge"].includes(mode))
      a.refuse("mode", "constant, reflect, symmetric or edge");
    return width.reduce((y, [before, after], axis) => {
      const n = x.shape[axis]!;
      if (before === 0 && after === 0) return y;
      const indices = count(before! + n + after!).map((i) => mirrored(i - before!, n, mode));
      return tf.gather(y, tf.tensor1d(indices, "int32"), axis);
    }, x);
  },
  shape: (a) => a.shape("x").map((n, i) => n + paddings(a)[i]![0]! + paddings(a)[i]![1]!),
};

const flip: Operation = {
  compute: (a) => tf.reverse(a.tensor("x"), [...a.axes("axis", a.shape("x").length)]),
  shape: (a) => a.shape("x"),
  moves: true,
};

const roll: Operation = {
  compute: (a) => {
    const x = a.tensor("x");
    const shifts = a.integers("shift");
    const turn = (y: tf.Tensor, shift: number, axis: number): tf.Tensor => {
      const n = y.shape[axis]!;
      return tf.gather(
        y,
        tf.tensor1d(
          count(n).map((i) => (((i - shift) % n) + n) % n),
          "int32",
        ),
        axis,
      );
    };
    if (!a.has("axis")) return tf.reshape(turn(tf.reshape(x, [-1]), shifts[0]!, 0), x.shape);
    return a.axes("axis", x.rank).reduce((y, axis, i) => turn(y, shifts[i] ?? shifts[0]!, axis), x);
  },
  shape: (a) => a.shape("x"),
  moves: true,
};

/** Operations that repeat, surround or turn round what lies along axes. */
export const REARRANGING: Operations = {
  repeat: lookedUp((n, a) => {
    const repeats = a.integers("repeats");
    return count(n).flatMap((i) =>
      Array.from({ length: repeats.length === 1 ? repeats[0]! : repeats[i]! }, () => i),
    );
  }),
  pad,
  flip,
  roll,
};
