import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";

/** Values that a file gives: nested in row-major order. */
export interface HostArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** start:stop:step of an index. */
export interface Slice {
  readonly slice: readonly [Value, Value, Value];
}

export interface Ellipsis {
  readonly ellipsis: true;
}

/** What is known of a tensor before anything is computed. */
export interface Shaped {
  readonly shape: readonly number[];
}

/** What an operation is called with: tensors, or their shapes alone, and plain values. */
export type Value =
  | null
  | boolean
  | number
  | string
  | HostArray
  | Slice
  | Ellipsis
  | tf.Tensor
  | Shaped
  | readonly Value[];

export type Shape = readonly number[];

const isObject = (value: Value | undefined): value is HostArray | Slice | Ellipsis | tf.Tensor | Shaped =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const isSlice = (value: Value): value is Slice => isObject(value) && "slice" in value;
export const isEllipsis = (value: Value): value is Ellipsis => isObject(value) && "ellipsis" in value;
export const isShaped = (value: Value | undefined): value is HostArray | tf.Tensor | Shaped =>
  isObject(value) && "shape" in value;
export const isHostArray = (value: Value | undefined): value is HostArray =>
  isShaped(value) && "values" in value;

/** The arguments of one operation by name, read as what the operation needs. */
export class Arguments {
  constructor(
    private readonly where: string,
    private readonly values: Readonly<Record<string, Value>>,
  ) {}

  /** Whether the argument is given, and not as None. */
  has(name: string): boolean {
    return this.values[name] !== undefined && this.values[name] !== null;
  }

  value(name: string): Value {
    return this.values[name] ?? null;
  }

  /** The same operation with some arguments replaced. */
  with(values: Readonly<Record<string, Value>>): Arguments {
    return new Arguments(this.where, { ...this.values, ...values });
  }

  /** A tensor of float32: what is counted or true becomes a number. */
  tensor(name: string): tf.Tensor {
    return floating(this.any(name));
  }

  /** A tensor of whatever type it has. */
  any(name: string): tf.Tensor {
    return tensorOf(this.value(name)) ?? this.refuse(name, "a tensor");
  }

  tensors(name: string): tf.Tensor[] {
    return this.list(name).map((item) => floating(tensorOf(item) ?? this.refuse(name, "tensors")));
  }

  /** The shape of a tensor; a plain number is one without axes. */
  shape(name: string): Shape {
    return shapeOf(this.value(name)) ?? this.refuse(name, "a tensor");
  }

  shapes(name: string): Shape[] {
    return this.list(name).map((item) => shapeOf(item) ?? this.refuse(name, "tensors"));
  }

  list(name: string): readonly Value[] {
    const value = this.value(name);
    return Array.isArray(value) ? (value as readonly Value[]) : [value];
  }

  number(name: string, absent?: number): number {
    if (!this.has(name) && absent !== undefined) return absent;
    const [value, ...rest] = numbersOf(this.value(name)) ?? [];
    if (value === undefined || rest.length > 0) return this.refuse(name, "a number");
    return value;
  }

  integer(name: string, absent?: number): number {
    const value = this.number(name, absent);
    return Number.isInteger(value) ? value : this.refuse(name, "a whole number");
  }

  /** Whole numbers; a single one counts as a list of one. */
  integers(name: string, absent?: readonly number[]): readonly number[] {
    if (!this.has(name) && absent !== undefined) return absent;
    const values = numbersOf(this.value(name));
    return values?.every(Number.isInteger) ? values : this.refuse(name, "whole numbers");
  }

  /** Rows of whole numbers, such as the padding before and after each axis. */
  rows(name: string): readonly (readonly number[])[] {
    const value = this.value(name);
    if (isHostArray(value)) {
      const width = value.shape.at(-1) ?? 1;
      const flat = Array.from(value.values);
      return Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
    }
    return this.list(name).map((row) => numbersOf(row) ?? this.refuse(name, "rows of whole numbers"));
  }

  flag(name: string, absent = false): boolean {
    const value = this.value(name);
    if (value === null) return absent;
    return typeof value === "boolean" ? value : this.refuse(name, "true or false");
  }

  text(name: string, absent?: string): string {
    const value = this.value(name);
    if (value === null && absent !== undefined) return absent;
    return typeof value === "string" ? value : this.refuse(name, "a word");
  }

  /** A word for which writers differ in case. */
  word(name: string, absent?: string): string {
    return this.text(name, absent).toLowerCase();
  }

  /** Axes counted from the front; all of them where none is given. */
  axes(name: string, rank: number): readonly number[] {
    const axes = this.integers(
      name,
      Array.from({ length: rank }, (_, i) => i),
    );
    return axes.map((axis) => this.inRange(name, axis, rank));
  }

  /** One axis counted from the front. */
  axis(name: string, rank: number, absent?: number): number {
    return this.inRange(name, this.integer(name, absent), rank);
  }

  private inRange(name: string, axis: number, rank: number): number {
    if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
    return this.refuse(name, `an axis of ${rank}`);
  }

  /** Throws: the argument is not what the operation needs. */
  refuse(name: string, expected: string): never {
    const value = this.value(name);
    const received =
      isShaped(value) && !isHostArray(value)
        ? "a tensor whose values are not known before it runs"
        : show(value);
    const hint = "Replace the operation by a layer, or give it what it needs as a constant.";
    throw badModel(`${expected} as ${name}`, received, this.where, hint);
  }
}

const show = (value: Value): string => (JSON.stringify(value) ?? "nothing").slice(0, 80);

export function floating(x: tf.Tensor): tf.Tensor {
  return x.dtype === "float32" ? x : x.cast("float32");
}

function tensorOf(value: Value): tf.Tensor | undefined {
  if (value instanceof tf.Tensor) return value;
  if (isHostArray(value)) return tensorOfArray(value);
  const plain = nested(value);
  return plain && tensorOfArray(plain);
}

/** A tensor on the device of values that a file gives. */
export function tensorOfArray({ dtype, shape, values }: HostArray): tf.Tensor {
  const type = dtype === "bool" ? "bool" : /int/.test(dtype) ? "int32" : "float32";
  const data =
    type === "float32"
      ? Float32Array.from(values)
      : type === "int32"
        ? Int32Array.from(values)
        : Uint8Array.from(values);
  return tf.tensor(data, [...shape], type);
}

/** The values of a tensor, which is disposed of. */
export function intoArray(tensor: tf.Tensor): HostArray {
  const { dtype, shape } = tensor;
  const values = tensor.dataSync();
  tensor.dispose();
  return { dtype, shape, values };
}

function shapeOf(value: Value): Shape | undefined {
  return isShaped(value) ? value.shape : nested(value)?.shape;
}

/** Nested lists of numbers as an array. */
export function nested(value: Value): HostArray | undefined {
  if (typeof value === "boolean") return { dtype: "bool", shape: [], values: [Number(value)] };
  if (typeof value === "number") return { dtype: "float32", shape: [], values: [value] };
  if (isHostArray(value)) return value;
  if (!Array.isArray(value)) return undefined;
  const items = (value as readonly Value[]).map(nested);
  const shape = items[0]?.shape ?? [];
  if (!items.every((item) => item && String(item.shape) === String(shape))) return undefined;
  const values = items.flatMap((item) => Array.from(item!.values));
  return { dtype: items[0]?.dtype ?? "float32", shape: [items.length, ...shape], values };
}

function numbersOf(value: Value): readonly number[] | undefined {
  const array = nested(value);
  return array && array.shape.length < 2 ? Array.from(array.values) : undefined;
}
