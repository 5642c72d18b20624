import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { withoutGradient } from "../layers/layer.js";
import { type Arguments, floating, type Shape } from "./arguments.js";

/** One operation: a row of the table. Nothing but what is in the table is ever computed. */
export interface Operation {
  /** Differentiable, made of tfjs's operations alone. */
  compute(a: Arguments): tf.Tensor | tf.Tensor[];
  /** The shape that `compute` gives, or the list of shapes, from the arguments' shapes alone. */
  shape(a: Arguments): Shape | readonly Shape[];
  /** Multiply-accumulates, where tensors are multiplied as matrices. */
  macs?(a: Arguments): number;
  /** Whether each value of the result follows from one value of each tensor. */
  readonly valuewise?: true;
  /** Whether the result holds values of its tensors, only elsewhere. */
  readonly moves?: true;
  /** Whether it only gives the dimensions other names. */
  readonly renames?: true;
  /** Whether with a number it rescales or shifts all values alike. */
  readonly affine?: true;
  /** Whether `compute` needs no more than shapes. */
  readonly fromShape?: true;
}

export type Operations = Readonly<Record<string, Operation>>;

export const size = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);

/** Shapes brought together from their last axis, where 1 gives way, and an open size (NaN) to a known one. */
export function broadcast(...shapes: readonly Shape[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape[i - rank + shape.length] ?? 1).filter((n) => n !== 1);
    const known = sizes.filter((n) => !Number.isNaN(n));
    const first = known[0] ?? sizes[0] ?? 1;
    if (known.every((n) => n === first)) return first;
    const received = shapes.map((shape) => `[${shape}]`).join(" and ");
    throw badModel("shapes that go together", received, "an operation", "Repair the shapes of its inputs.");
  });
}

/** y = f(x), value by value. */
export function unary(f: (x: tf.Tensor, a: Arguments) => tf.Tensor): Operation {
  return { compute: (a) => f(a.tensor("x"), a), shape: (a) => a.shape("x"), valuewise: true };
}

/** The tensors with the shape that they have together. */
export function widened(...tensors: readonly tf.Tensor[]): tf.Tensor[] {
  const shape = broadcast(...tensors.map((x) => x.shape));
  return tensors.map((x) => (String(x.shape) === String(shape) ? x : tf.broadcastTo(x, shape)));
}

/** x where the condition holds, else y; the condition is a constant of differentiation. */
export function choose(condition: () => tf.Tensor, x: tf.Tensor, y: tf.Tensor): tf.Tensor {
  const shape = broadcast(x.shape, y.shape, condition().shape);
  const wide = (t: tf.Tensor): tf.Tensor =>
    String(t.shape) === String(shape) ? t : tf.broadcastTo(t, shape);
  return tf.where(
    withoutGradient(() => wide(floating(condition())).cast("bool")),
    wide(x),
    wide(y),
  );
}

/** f(x, y), value by value, broadcast. */
export function binary(f: (x: tf.Tensor, y: tf.Tensor) => tf.Tensor): Operation {
  return {
    compute: (a) => f(a.tensor("x"), a.tensor("y")),
    shape: (a) => broadcast(a.shape("x"), a.shape("y")),
    valuewise: true,
  };
}

/** f over some axes; all of them where `axis` is not given. */
export function reduction(
  f: (x: tf.Tensor, axes: number[], keep: boolean, a: Arguments) => tf.Tensor,
): Operation {
  return {
    compute: (a) => {
      const x = a.tensor("x");
      return floating(f(x, [...a.axes("axis", x.rank)], a.flag("keepdims"), a));
    },
    shape: (a) => reduced(a.shape("x"), a.axes("axis", a.shape("x").length), a.flag("keepdims")),
  };
}

export function reduced(shape: Shape, axes: readonly number[], keep: boolean): number[] {
  return shape.flatMap((n, i) => (!axes.includes(i) ? [n] : keep ? [1] : []));
}

/** A tensor in, one of the same shape out, though not value by value. */
export function alike(f: (x: tf.Tensor, a: Arguments) => tf.Tensor): Operation {
  return { compute: (a) => f(a.tensor("x"), a), shape: (a) => a.shape("x") };
}
