import { bytes, readMessage, whole } from "./message.js";

/** A part of a tensor: along each dimension, where it starts and how long it is. */
export interface Slice {
  readonly start: readonly number[];
  readonly length: readonly number[];
}

/** Reads a TensorSliceProto (tensorflow/core/framework/tensor_slice.proto). An extent without a length is the whole dimension. */
export function readSlice(content: Uint8Array, shape: readonly number[]): Slice {
  const start: number[] = [];
  const length: number[] = [];
  readMessage(content, {
    1: bytes((extent) => {
      const at = start.length;
      start.push(0);
      length.push(shape[at] ?? 0);
      readMessage(extent, {
        1: whole((value) => {
          start[at] = value;
        }),
        2: whole((value) => {
          length[at] = value;
        }),
      });
    }),
  });
  return { start, length };
}

/**
 * The order in which a checkpoint keeps the slices of a tensor: their keys sort as their starts do
 * (tensorflow/core/util/saved_tensor_slice_util.cc).
 */
export function sorted(slices: readonly Slice[]): readonly Slice[] {
  const apart = (a: Slice, b: Slice): number => a.start.findIndex((value, i) => value !== b.start[i]);
  return [...slices].sort((a, b) => {
    const at = apart(a, b);
    return at < 0 ? 0 : a.start[at]! - b.start[at]!;
  });
}

/** What the key of every slice of the tensor `key` begins with. */
export function slicePrefix(key: string): string {
  return `\0${key}\0\x01`;
}

type Values = Float32Array | Int32Array;

/** Copies the values of a slice to its place in a tensor of `shape`. */
export function place(
  values: Values,
  { start, length }: Slice,
  target: Values,
  shape: readonly number[],
): void {
  const run = length.at(-1) ?? 1;
  for (let from = 0; from < values.length; from += run) {
    let rest = from / run;
    let stride = shape.at(-1) ?? 1;
    let to = start.at(-1) ?? 0;
    for (let axis = shape.length - 2; axis >= 0; axis--) {
      to += (start[axis]! + (rest % length[axis]!)) * stride;
      rest = Math.floor(rest / length[axis]!);
      stride *= shape[axis]!;
    }
    target.set(values.subarray(from, from + run), to);
  }
}

/** Whether the slices lie within `shape` and have as many elements as it has. */
export function fills(slices: readonly Slice[], shape: readonly number[]): boolean {
  const within = slices.every(
    ({ start, length }) =>
      start.length === shape.length &&
      shape.every((size, i) => start[i]! >= 0 && length[i]! > 0 && start[i]! + length[i]! <= size),
  );
  const count = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
  return within && slices.reduce((sum, { length }) => sum + count(length), 0) === count(shape);
}
