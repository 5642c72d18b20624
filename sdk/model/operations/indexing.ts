import * as tf from "@tensorflow/tfjs";
import {
  type Arguments,
  type HostArray,
  isEllipsis,
  isHostArray,
  isSlice,
  nested,
  type Shape,
  type Value,
} from "./arguments.js";
import { count } from "./rearranging.js";
import { type Operation, type Operations, size } from "./row.js";

/** What an index takes of one axis: one position (the axis goes), a run of them, or a list; or a new axis of one. */
type Part =
  | { readonly kind: "new" }
  | { readonly kind: "one"; readonly at: number }
  | { readonly kind: "run"; readonly begin: number; readonly length: number; readonly step: number }
  | { readonly kind: "list"; readonly indices: readonly number[] };

/** Python's start:stop:step on an axis of n. */
function run(n: number, [start, stop, step]: readonly (number | null)[]): Part {
  const by = step ?? 1;
  const clamp = (i: number, low: number, high: number): number =>
    Math.min(Math.max(i < 0 ? i + n : i, low), high);
  const begin = by > 0 ? clamp(start ?? 0, 0, n) : start === null ? n - 1 : clamp(start!, -1, n - 1);
  const end =
    by > 0 ? (stop === null ? n : clamp(stop!, 0, n)) : stop === null ? -1 : clamp(stop!, -1, n - 1);
  return { kind: "run", begin, length: Math.max(0, Math.ceil((end - begin) / by)), step: by };
}

function partOf(a: Arguments, item: Value, n: number): Part {
  const number = (value: Value): number | null => {
    const plain = nested(value);
    return plain && plain.shape.length === 0 ? Number(plain.values[0]) : null;
  };
  if (isSlice(item))
    return run(
      n,
      item.slice.map((each) =>
        each === null ? null : (number(each) ?? a.refuse("key", "slices of numbers")),
      ),
    );
  const at = number(item);
  if (at !== null) return { kind: "one", at: at < 0 ? at + n : at };
  const list = nested(item);
  if (list?.shape.length !== 1) return a.refuse("key", "numbers, slices and lists of numbers");
  return { kind: "list", indices: Array.from(list.values, (i) => (i < 0 ? i + n : i)) };
}

/** One part for each axis of x and for each new one, in order. */
function partsOf(a: Arguments, key: readonly Value[]): readonly Part[] {
  const shape = a.shape("x");
  const consumed = key.filter((item) => item !== null && !isEllipsis(item)).length;
  const whole: Value = { slice: [null, null, null] };
  const rest = Array.from({ length: shape.length - consumed }, () => whole);
  const filled = key.some((item) => isEllipsis(item))
    ? key.flatMap((item) => (isEllipsis(item) ? rest : [item]))
    : [...key, ...rest];
  const sizes = shape.values();
  const parts = filled.map(
    (item): Part => (item === null ? { kind: "new" } : partOf(a, item, sizes.next().value as number)),
  );
  if (parts.filter((part) => part.kind === "list").length > 1) a.refuse("key", "at most one list");
  return parts;
}

function shapeOfParts(parts: readonly Part[]): Shape {
  return parts.flatMap((part) => {
    if (part.kind === "new") return [1];
    if (part.kind === "one") return [];
    return [part.kind === "run" ? part.length : part.indices.length];
  });
}

/** tfjs has no gradient for strides, so positions with gaps are looked up. */
function take(x: tf.Tensor, parts: readonly Part[]): tf.Tensor {
  const axes = parts.filter((part) => part.kind !== "new");
  const plain = (part: Part): boolean => part.kind === "one" || (part.kind === "run" && part.step === 1);
  const begin = axes.map((part) =>
    part.kind === "one" ? part.at : part.kind === "run" && part.step === 1 ? part.begin : 0,
  );
  const length = axes.map((part, i) =>
    part.kind === "one" ? 1 : part.kind === "run" && part.step === 1 ? part.length : x.shape[i]!,
  );
  const cut = String(length) === String(x.shape) ? x : tf.slice(x, begin, length);
  const looked = axes.reduce((y, part, axis) => (plain(part) ? y : tf.gather(y, indicesOf(part), axis)), cut);
  return tf.reshape(looked, [...shapeOfParts(parts)]);
}

function indicesOf(part: Part): tf.Tensor1D {
  if (part.kind === "list") return tf.tensor1d([...part.indices], "int32");
  const { begin, length, step } = part as Part & { kind: "run" };
  return tf.tensor1d(
    Array.from({ length }, (_, i) => begin + i * step),
    "int32",
  );
}

const indexed = (key: (a: Arguments) => readonly Value[]): Operation => ({
  compute: (a) => take(a.tensor("x"), partsOf(a, key(a))),
  shape: (a) => shapeOfParts(partsOf(a, key(a))),
  moves: true,
});

/** TensorFlow's StridedSlice as a key: bits of the masks say which of begin and end do not count, and which axes are new or go. */
function stridedKey(a: Arguments): readonly Value[] {
  const [begin, end, strides] = [a.integers("begin"), a.integers("end"), a.integers("strides")];
  const bit = (mask: string, i: number): boolean => ((a.integer(mask, 0) >> i) & 1) === 1;
  return begin.map((start, i): Value => {
    if (bit("ellipsis_mask", i)) return { ellipsis: true };
    if (bit("new_axis_mask", i)) return null;
    if (bit("shrink_axis_mask", i)) return start;
    return { slice: [bit("begin_mask", i) ? null : start, bit("end_mask", i) ? null : end[i]!, strides[i]!] };
  });
}

/** begin and size per axis; -1 is the rest. */
function sliceKey(a: Arguments): readonly Value[] {
  const [begin, sizes] = [a.integers("begin"), a.integers("size")];
  return begin.map((start, i): Value => ({ slice: [start, sizes[i] === -1 ? null : start + sizes[i]!, 1] }));
}

/** Indices below 0 count from the end. */
const gather: Operation = {
  compute: (a) => {
    const x = a.has("axis") ? a.tensor("x") : tf.reshape(a.tensor("x"), [-1]);
    const axis = a.axis("axis", x.rank, 0);
    const given = a.tensor("indices");
    const indices = tf.where(tf.less(given, 0), tf.add(given, x.shape[axis]!), given);
    return tf.gather(x, indices.cast("int32"), axis, a.integer("batchDims", 0));
  },
  shape: (a) => {
    const shape = a.has("axis") ? a.shape("x") : [size(a.shape("x"))];
    const axis = a.axis("axis", shape.length, 0);
    return [
      ...shape.slice(0, axis),
      ...a.shape("indices").slice(a.integer("batchDims", 0)),
      ...shape.slice(axis + 1),
    ];
  },
};

const oneHot: Operation = {
  compute: (a) => {
    const hot = tf.oneHot(
      a.tensor("x").cast("int32"),
      a.integer("depth"),
      a.number("on", 1),
      a.number("off", 0),
    );
    const axis = a.axis("axis", hot.rank, -1);
    const order = count(hot.rank - 1).toSpliced(axis, 0, hot.rank - 1);
    return tf.transpose(hot.cast("float32"), order);
  },
  shape: (a) => a.shape("x").toSpliced(a.axis("axis", a.shape("x").length + 1, -1), 0, a.integer("depth")),
};

/** Keeps the values on one side of the k-th diagonal of each matrix. */
const triangle = (keep: (row: number, column: number, k: number) => boolean): Operation => ({
  compute: (a) => {
    const x = a.tensor("x");
    const [rows, columns] = x.shape.slice(-2) as [number, number];
    const k = a.integer("k", 0);
    const mask: HostArray["values"] = count(rows * columns).map((i) =>
      Number(keep(Math.floor(i / columns), i % columns, k)),
    );
    return tf.mul(x, tf.tensor2d(mask as number[], [rows, columns]));
  },
  shape: (a) => a.shape("x"),
});

/** Operations that choose values by their positions. */
export const INDEXING: Operations = {
  getItem: indexed((a) => (isHostArray(a.value("key")) ? [a.value("key")] : a.list("key"))),
  stridedSlice: indexed(stridedKey),
  slice: indexed(sliceKey),
  gather,
  oneHot,
  lowerTriangle: triangle((row, column, k) => column - row <= k),
  upperTriangle: triangle((row, column, k) => column - row >= k),
};
