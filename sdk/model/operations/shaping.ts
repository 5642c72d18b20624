import * as tf from "@tensorflow/tfjs";
import type { Arguments, Shape } from "./arguments.js";
import { type Operation, type Operations, reduced, size } from "./row.js";

type Row = Omit<Operation, "moves">;

/** What only changes shape, order or number of values. */
export const moving = (row: Row): Operation => ({ ...row, moves: true });

const reshaped = (shape: (a: Arguments) => Shape): Operation =>
  moving({ compute: (a) => tf.reshape(a.tensor("x"), [...shape(a)]), shape, renames: true });

const permuted = (order: (a: Arguments, rank: number) => readonly number[]): Operation =>
  moving({
    compute: (a) => tf.transpose(a.tensor("x"), [...order(a, a.shape("x").length)]),
    shape: (a) => order(a, a.shape("x").length).map((axis) => a.shape("x")[axis]!),
  });

/** The shape asked for, where one -1 stands for what is left. */
function wanted(a: Arguments): Shape {
  const shape = a.integers("shape");
  const rest = size(a.shape("x")) / size(shape.filter((n) => n !== -1));
  return shape.map((n) => (n === -1 ? rest : n));
}

function expanded(a: Arguments): Shape {
  const given = a.integers("axis");
  const rank = a.shape("x").length + given.length;
  const axes = a.axes("axis", rank);
  const old = a.shape("x").values();
  return Array.from({ length: rank }, (_, i) => (axes.includes(i) ? 1 : (old.next().value as number)));
}

function squeezed(a: Arguments): Shape {
  const shape = a.shape("x");
  const all = shape.flatMap((n, i) => (n === 1 ? [i] : []));
  const none = !a.has("axis") || a.integers("axis").length === 0;
  return reduced(shape, none ? all : a.axes("axis", shape.length), false);
}

function moved(a: Arguments, rank: number): readonly number[] {
  const [from, to] = [a.axes("source", rank), a.axes("destination", rank)];
  const rest = Array.from({ length: rank }, (_, i) => i)
    .filter((i) => !from.includes(i))
    .values();
  return Array.from({ length: rank }, (_, i) =>
    to.includes(i) ? from[to.indexOf(i)]! : (rest.next().value as number),
  );
}

function swapped(a: Arguments, rank: number): readonly number[] {
  const [one, two] = [a.axis("axis1", rank), a.axis("axis2", rank)];
  return Array.from({ length: rank }, (_, i) => (i === one ? two : i === two ? one : i));
}

const concatenate: Operation = moving({
  compute: (a) => {
    const xs = a.tensors("xs");
    return tf.concat(xs, a.axis("axis", xs[0]!.rank, 0));
  },
  shape: (a) => {
    const shapes = a.shapes("xs");
    const axis = a.axis("axis", shapes[0]!.length, 0);
    return shapes[0]!.map((n, i) => (i === axis ? shapes.reduce((sum, shape) => sum + shape[i]!, 0) : n));
  },
});

const stack: Operation = moving({
  compute: (a) => {
    const xs = a.tensors("xs");
    return tf.stack(xs, a.axis("axis", xs[0]!.rank + 1, 0));
  },
  shape: (a) => {
    const shapes = a.shapes("xs");
    return shapes[0]!.toSpliced(a.axis("axis", shapes[0]!.length + 1, 0), 0, shapes.length);
  },
});

/** Sizes along the axis from `sizes` (one may be -1) or from `cuts`, where parts begin; either may be a number of equal parts. */
function parts(a: Arguments): readonly number[] {
  const shape = a.shape("x");
  const whole = shape[a.axis("axis", shape.length, 0)]!;
  const name = a.has("sizes") ? "sizes" : "cuts";
  const given = a.integers(name);
  if (typeof a.value(name) === "number" && given[0]! > whole) a.refuse(name, `at most ${whole} parts`);
  if (typeof a.value(name) === "number") return Array.from({ length: given[0]! }, () => whole / given[0]!);
  if (name === "sizes") {
    const rest = whole - given.reduce((sum, n) => sum + Math.max(n, 0), 0);
    return given.map((n) => (n === -1 ? rest : n));
  }
  const ends = [0, ...given.map((cut) => (cut < 0 ? cut + whole : Math.min(cut, whole))), whole];
  return ends.slice(1).map((end, i) => Math.max(end - ends[i]!, 0));
}

const split: Operation = moving({
  compute: (a) => {
    const x = a.tensor("x");
    return tf.split(x, [...parts(a)], a.axis("axis", x.rank, 0));
  },
  shape: (a) => {
    const shape = a.shape("x");
    return parts(a).map((n) => shape.with(a.axis("axis", shape.length, 0), n));
  },
});

const unstack: Operation = moving({
  compute: (a) => {
    const x = a.tensor("x");
    return tf.unstack(x, a.axis("axis", x.rank, 0));
  },
  shape: (a) => {
    const shape = a.shape("x");
    const axis = a.axis("axis", shape.length, 0);
    return Array.from({ length: shape[axis]! }, () => shape.toSpliced(axis, 1));
  },
});

/** numpy.tile: the shorter of shape and repeats is filled up by ones at its front. */
function tiling(a: Arguments): { shape: Shape; repeats: Shape } {
  const [shape, repeats] = [a.shape("x"), a.integers("repeats")];
  const rank = Math.max(shape.length, repeats.length);
  const fill = (list: Shape): Shape => [...Array.from({ length: rank - list.length }, () => 1), ...list];
  return { shape: fill(shape), repeats: fill(repeats) };
}

const tile: Operation = moving({
  compute: (a) => {
    const { shape, repeats } = tiling(a);
    return tf.tile(tf.reshape(a.tensor("x"), [...shape]), [...repeats]);
  },
  shape: (a) => {
    const { shape, repeats } = tiling(a);
    return shape.map((n, i) => n * repeats[i]!);
  },
});

/** What a shape alone says. */
const ofShape = (values: (shape: Shape) => number | readonly number[]): Operation => ({
  fromShape: true,
  compute: (a) => tf.tensor(values(a.shape("x")) as number | number[], undefined, "float32"),
  shape: (a) => {
    const list = values(a.shape("x"));
    return typeof list === "number" ? [] : [list.length];
  },
});

const fill: Operation = {
  compute: (a) => tf.fill([...a.integers("shape")], a.number("value", 0)),
  shape: (a) => a.integers("shape"),
};

const range: Operation = {
  compute: (a) => tf.range(a.number("start"), a.number("stop"), a.number("step", 1), "float32"),
  shape: (a) => [Math.max(0, Math.ceil((a.number("stop") - a.number("start")) / a.number("step", 1)))],
};

/** Operations on shape, order and number of values. */
export const SHAPING: Operations = {
  reshape: reshaped(wanted),
  ravel: reshaped((a) => [size(a.shape("x"))]),
  expandDims: reshaped(expanded),
  squeeze: reshaped(squeezed),
  transpose: permuted((a, rank) =>
    a.has("axes") ? a.axes("axes", rank) : Array.from({ length: rank }, (_, i) => rank - 1 - i),
  ),
  moveAxis: permuted(moved),
  swapAxes: permuted(swapped),
  broadcastTo: moving({
    compute: (a) => tf.broadcastTo(a.tensor("x"), [...a.integers("shape")]),
    shape: (a) => a.integers("shape"),
  }),
  concatenate,
  stack,
  split,
  unstack,
  tile,
  shape: ofShape((shape) => shape),
  rank: ofShape((shape) => shape.length),
  size: ofShape(size),
  fill,
  range,
};
