import { type HostArray, nested, type Shape, type Value } from "./arguments.js";

/** Arguments by our names, as JSON: values, and tokens for what is there only when the operation is called. */
export type Template = Readonly<Record<string, unknown>>;

/** The i-th input of the layer. */
export interface TensorToken {
  readonly tensor: number;
}

/** A variable of the layer. */
export interface WeightToken {
  readonly weight: string;
  readonly shape: Shape;
}

/** The first dimension of an input, times something: so many batches. */
export interface BatchToken {
  readonly batch: number;
  readonly times: number;
}

interface ArrayToken {
  readonly array: HostArray;
}

interface NumberToken {
  readonly number: string;
}

/** A variable, and its values where a file gives them in the place of the argument. */
export interface Held {
  readonly shape: Shape;
  readonly values?: HostArray;
}

/** What stands for the tokens. */
export interface Resolve {
  tensor(input: number): Value;
  weight(name: string, shape: Shape): Value;
  /** The first dimension of an input. */
  batch(input: number): number;
}

const has = <K extends string>(value: unknown, key: K): value is Record<K, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && key in value;

const isTensor = (value: unknown): value is TensorToken => has(value, "tensor");
const isWeight = (value: unknown): value is WeightToken => has(value, "weight") && has(value, "shape");
const isBatch = (value: unknown): value is BatchToken => has(value, "batch") && has(value, "times");
const isArray = (value: unknown): value is ArrayToken => has(value, "array");
const isNumber = (value: unknown): value is NumberToken => has(value, "number");

/** Arguments that are computed with; a constant there is a weight. Others say how. */
export const FACTORS: ReadonlySet<string> = new Set([
  "x",
  "y",
  "xs",
  "kernel",
  "scale",
  "offset",
  "bias",
  "mean",
  "variance",
  "alpha",
]);

/** Rebuilds `value`, with `change` deciding what stands for each part; undefined lets the part be. */
function mapped(value: unknown, change: (part: unknown, place: string) => unknown, place: string): unknown {
  const changed = change(value, place);
  if (changed !== undefined) return changed;
  if (Array.isArray(value)) return value.map((item, i) => mapped(item, change, `${place}_${i}`));
  if (has(value, "slice")) return { slice: mapped(value.slice, change, place) };
  return value;
}

const each = (values: Template, change: (part: unknown, place: string, name: string) => unknown): Template =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      mapped(value, (part, place) => change(part, place, name), name),
    ]),
  );

/** Takes the constants of two axes and more out of the arguments: they are variables. */
export function withHeld(values: Template): {
  readonly template: Template;
  readonly held: ReadonlyMap<string, Held>;
} {
  const held = new Map<string, Held>();
  const template = each(values, (part, place, name) => {
    if (isWeight(part)) {
      held.set(part.weight, { shape: part.shape });
      return part;
    }
    if (!FACTORS.has(name)) return undefined;
    const array = isArray(part) ? part.array : (plainList(part) ?? undefined);
    if (!array || array.shape.length < 2 || !/float/.test(array.dtype)) return undefined;
    held.set(place, { shape: array.shape, values: array });
    return { weight: place, shape: array.shape };
  });
  return { template, held };
}

function plainList(part: unknown): HostArray | undefined {
  return Array.isArray(part) && part.flat(Number.POSITIVE_INFINITY).every((item) => typeof item === "number")
    ? nested(part as Value)
    : undefined;
}

/** The arguments with everything in its place. */
export function resolved(
  template: Template,
  { tensor, weight, batch }: Resolve,
): Readonly<Record<string, Value>> {
  return each(template, (part) => {
    if (isTensor(part)) return tensor(part.tensor);
    if (isWeight(part)) return weight(part.weight, part.shape);
    if (isBatch(part)) return part.times * batch(part.batch);
    if (isArray(part)) return part.array;
    if (isNumber(part)) return Number(part.number);
    return undefined;
  }) as Readonly<Record<string, Value>>;
}

/** The template with something else for some inputs. `place` is a name for what stands there. */
export function replaced(
  template: Template,
  input: (input: number, place: string, argument: string) => unknown,
): Template {
  return each(template, (part, place, name) =>
    isTensor(part) ? (input(part.tensor, place, name) ?? part) : undefined,
  );
}

/** Every token of inputs and variables, with the name of its argument. */
export function tokensOf(
  template: Template,
): readonly { readonly name: string; readonly token: TensorToken | WeightToken }[] {
  const found: { name: string; token: TensorToken | WeightToken }[] = [];
  each(template, (part, _, name) => {
    if (isTensor(part) || isWeight(part)) {
      found.push({ name, token: part });
      return part;
    }
    return undefined;
  });
  return found;
}
