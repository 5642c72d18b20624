import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { Arguments, type HostArray, intoArray, type Shape, type Value } from "./arguments.js";
import { type Operation, size } from "./row.js";
import { replaced, resolved, type Template } from "./template.js";

/**
 * Two sizes of the batch at which shapes are followed: what is the same for both does not depend on it, what is
 * proportional is so many batches. Large, so that no window is larger, and divisible by what batches are cut into.
 */
export const BATCHES = [840, 1680] as const;

/** What a tensor of shapes holds at each of `BATCHES`. */
export type Known = readonly [HostArray, HostArray];

const KNOWN = new WeakMap<tf.SymbolicTensor, Known>();
const MULTIPLES = new WeakMap<tf.SymbolicTensor, number>();

/** The values of a tensor of a model under construction that follow from shapes alone. */
export const knownOf = (tensor: tf.SymbolicTensor): Known | undefined => KNOWN.get(tensor);

/** How many batches the first dimension of a tensor counts: 1, unless it was rearranged. */
export function multipleOf(tensor: tf.SymbolicTensor): number {
  if (tensor.shape[0] !== null) return 1;
  const path: tf.SymbolicTensor[] = [];
  let at: tf.SymbolicTensor | undefined = tensor;
  while (at && !MULTIPLES.has(at)) {
    path.push(at);
    const [source]: readonly tf.SymbolicTensor[] = at.inputs ?? [];
    at = source?.shape[0] === null ? source : undefined;
  }
  const multiple = (at && MULTIPLES.get(at)) ?? 1;
  for (const each of path) MULTIPLES.set(each, multiple);
  return multiple;
}

/** The shape of a tensor for one size of the batch; NaN where another dimension is open. */
export function shapeAt(tensor: tf.SymbolicTensor, batch: number): Shape {
  return tensor.shape.map((n, i) => n ?? (i === 0 ? batch * multipleOf(tensor) : Number.NaN));
}

/** Whether both sizes of the batch give the same, completely known values. */
export function isConstant([one, two]: Known): boolean {
  if (one === two) return true;
  if (String(one.shape) !== String(two.shape)) return false;
  return Array.from(one.values).every((value, i) => value === two.values[i]);
}

/** The numbers of a known tensor, each plain or so many batches; undefined where neither holds. */
export function perBatch([one, two]: Known): readonly (number | { readonly batches: number })[] | undefined {
  if (String(one.shape) !== String(two.shape)) return undefined;
  const numbers = Array.from(one.values, (value, i) => {
    const other = two.values[i]!;
    if (value === other) return value;
    return value / BATCHES[0] === other / BATCHES[1] ? { batches: value / BATCHES[0] } : Number.NaN;
  });
  return numbers.some((each) => typeof each === "number" && Number.isNaN(each)) ? undefined : numbers;
}

/** What takes the place of an input that follows from shapes: numbers, or so many times the first dimension of another. */
export function token(known: Known, sources: readonly tf.SymbolicTensor[]): unknown {
  const [{ shape }] = known;
  if (isConstant(known)) return shape.length === 0 ? scalar(known[0].values[0]!) : { array: plain(known[0]) };
  const anchor = sources.findIndex((source) => source.shape[0] === null && !knownOf(source));
  const numbers = shape.length < 2 && anchor >= 0 ? perBatch(known) : undefined;
  const tokens = numbers?.map((each) =>
    typeof each === "number" ? each : { batch: anchor, times: each.batches / multipleOf(sources[anchor]!) },
  );
  return shape.length === 0 ? tokens?.[0] : tokens;
}

/** The template of an operation on `sources`, with what follows from shapes in its place. */
export function settled(template: Template, sources: readonly tf.SymbolicTensor[]): Template {
  return replaced(template, (i) => {
    const known = knownOf(sources[i]!);
    return known && token(known, sources);
  });
}

/** More values than any table that a model needs beside its weights. */
const MOST_VALUES = 2 ** 26;

/**
 * The values of an operation whose tensors are all known, at both sizes of the batch, one for each result.
 *
 * @throws AutoqnnError `bad-model` for more values than a table of a model has, before they are made.
 */
export function computed(
  row: Operation,
  arguments_: (at: 0 | 1) => Arguments,
  where: string,
): readonly Known[] {
  const [one, two] = ([0, 1] as const).map((at) => {
    const given = arguments_(at);
    const count = listOf(row.shape(given)).reduce((sum, shape) => sum + size(shape), 0);
    if (count > MOST_VALUES) {
      const hint = "Compute it from the model's inputs, or make it a weight.";
      throw badModel(`at most ${MOST_VALUES} values made of constants`, `${count}`, where, hint);
    }
    return [tf.tidy(() => row.compute(given))].flat().map(intoArray);
  });
  return one!.map((first, k) => [first, two![k]!]);
}

/** Notes of the results of an operation what follows from shapes alone: their values, or how many batches they count. */
export function follow(
  row: Operation,
  template: Template,
  sources: readonly tf.SymbolicTensor[],
  results: readonly tf.SymbolicTensor[],
  where: string,
): void {
  const argumentsAt = (at: 0 | 1, tensor: (source: tf.SymbolicTensor) => Value): Arguments =>
    new Arguments(
      where,
      resolved(template, {
        tensor: (i) => tensor(sources[i]!),
        weight: (_, shape) => ({ shape }),
        batch: (i) => shapeAt(sources[i]!, BATCHES[at])[0]!,
      }),
    );
  const shaped =
    (at: 0 | 1) =>
    (source: tf.SymbolicTensor): Value =>
      knownOf(source)?.[at] ?? { shape: shapeAt(source, BATCHES[at]) };
  const known = row.fromShape ?? sources.every((source) => knownOf(source));
  if (known) {
    const values = computed(row, (at) => argumentsAt(at, shaped(at)), where);
    results.forEach((result, k) => {
      KNOWN.set(result, values[k]!);
    });
    return;
  }
  const [one, two] = ([0, 1] as const).map((at) => listOf(row.shape(argumentsAt(at, shaped(at)))));
  results.forEach((result, k) => {
    const [first, second] = [one![k]![0], two![k]![0]];
    if (first !== undefined && first !== second) MULTIPLES.set(result, first / BATCHES[0]);
  });
}

const listOf = (shapes: Shape | readonly Shape[]): readonly Shape[] =>
  shapes.length > 0 && Array.isArray(shapes[0]) ? (shapes as readonly Shape[]) : [shapes as Shape];

/** JSON knows lists alone. */
const plain = ({ dtype, shape, values }: HostArray): HostArray => ({
  dtype,
  shape,
  values: Array.from(values),
});

/** JSON has no word for what is not finite. */
const scalar = (value: number): unknown => (Number.isFinite(value) ? value : { number: String(value) });
