import { badModel } from "../badModel.js";
import { type Config, isConfig, show } from "../config.js";

/** A tensor in a functional model: output `output` of the `call`-th call of `layer`, as its writer counts calls. */
export interface Reference {
  readonly layer: string;
  readonly call: number;
  readonly output: number;
}

/**
 * A value in a call, where `{ tensor: i }` stands for the i-th input of the call. Values that JSON has no word for are
 * objects of one key.
 */
export type Template =
  | null
  | boolean
  | number
  | string
  | readonly Template[]
  | { readonly tensor: number }
  | { readonly slice: readonly [start: Template, stop: Template, step: Template] }
  | { readonly ellipsis: true }
  | { readonly number: "Infinity" | "-Infinity" | "NaN" }
  | { readonly array: Constant }
  | { readonly dict: Readonly<Record<string, Template>> };

/** Numbers or booleans in row-major order. */
export interface Constant {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly values: readonly (number | boolean)[];
}

/** What a layer was called with, its tensors replaced by their positions. */
export interface Arguments {
  readonly positional: readonly Template[];
  readonly keyword: Readonly<Record<string, Template>>;
}

/** One call of a layer. */
export interface Call {
  readonly inputs: readonly Reference[];
  readonly arguments: Arguments;
}

/**
 * Reads one inbound node. tfjs and Keras 2 write the first argument, its tensors as [layer, call, output, other arguments];
 * Keras 3 writes { args, kwargs }.
 *
 * @throws AutoqnnError `bad-model` for what is none of these.
 */
export function readCall(node: unknown, where: string): Call {
  const inputs: Reference[] = [];
  if (isConfig(node) && Array.isArray(node.args)) {
    const read = (value: unknown): Template => readKeras3(value, inputs, where);
    const keyword = isConfig(node.kwargs) ? node.kwargs : {};
    return { inputs, arguments: { positional: node.args.map(read), keyword: mapValues(keyword, read) } };
  }
  let others: Config = {};
  const first = (value: unknown): Template => {
    if (isKeras2Tensor(value, [3, 4])) {
      const options = value[3] ?? {};
      if (!isConfig(options)) throw noTensor(value, where);
      // Every tensor of the first argument repeats the other arguments.
      others = options;
      return value[0] === CONSTANT
        ? readKeras2(value[2], inputs, where)
        : addTensor(value[0], value[1], value[2], inputs, where);
    }
    if (Array.isArray(value) && value.every((each) => typeof each === "object" && each !== null)) {
      return value.map(first);
    }
    if (isConfig(value)) return { dict: mapValues(value, first) };
    throw noTensor(value, where);
  };
  const positional = [first(node)];
  const keyword = mapValues(others, (value) => readKeras2(value, inputs, where));
  return { inputs, arguments: { positional, keyword } };
}

/**
 * The tensors that `input_layers` or `output_layers` name: one, a list, or a dictionary.
 *
 * @throws AutoqnnError `bad-model` for what is none of these.
 */
export function readTerminals(value: unknown, where: string): readonly Reference[] {
  if (isKeras2Tensor(value, [3, 4])) {
    const inputs: Reference[] = [];
    addTensor(value[0], value[1], value[2], inputs, where);
    return inputs;
  }
  if (Array.isArray(value) && value.every((each) => typeof each === "object" && each !== null)) {
    return value.flatMap((each: unknown) => readTerminals(each, where));
  }
  if (isConfig(value)) return keysInOrder(value).flatMap((key) => readTerminals(value[key], where));
  throw noTensor(value, where);
}

/** Plain options as Keras 3 writes them. */
export function readOptions(options: Config, where: string): Arguments["keyword"] {
  const inputs: Reference[] = [];
  const read = mapValues(options, (value) => readKeras3(value, inputs, where));
  if (inputs.length === 0) return read;
  throw badModel("options without tensors", show(options), where, "Save the model again with Keras.");
}

/** The order in which Keras lays out a dictionary of tensors. */
export function keysInOrder(dictionary: Config): readonly string[] {
  return Object.keys(dictionary).sort();
}

/** Positions of the tensors in `template`, in the order in which Keras lays out nested values. */
export function tensorsIn(template: Template): readonly number[] {
  if (typeof template !== "object" || template === null) return [];
  if (isList(template)) return template.flatMap(tensorsIn);
  if ("tensor" in template) return [template.tensor];
  if ("slice" in template) return template.slice.flatMap(tensorsIn);
  if ("dict" in template) return keysInOrder(template.dict).flatMap((key) => tensorsIn(template.dict[key]!));
  return [];
}

/** Whether nothing was given: null, or null for each of several tensors. */
export function isAbsent(template: Template): boolean {
  if (template === null) return true;
  if (typeof template !== "object") return false;
  if (isList(template)) return template.length > 0 && template.every(isAbsent);
  return "dict" in template && Object.values(template.dict).every(isAbsent);
}

export function isList(template: Template): template is readonly Template[] {
  return Array.isArray(template);
}

/** What Keras 2 writes in a tensor's place for a constant. */
const CONSTANT = "_CONSTANT_VALUE";

function isKeras2Tensor(value: unknown, lengths: readonly number[]): value is readonly unknown[] {
  return (
    Array.isArray(value) &&
    lengths.includes(value.length) &&
    typeof value[0] === "string" &&
    Number.isInteger(value[1])
  );
}

function isIndex(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function addTensor(
  layer: unknown,
  call: unknown,
  output: unknown,
  inputs: Reference[],
  where: string,
): Template {
  if (typeof layer !== "string" || !isIndex(call) || !isIndex(output)) {
    throw noTensor([layer, call, output], where);
  }
  return { tensor: inputs.push({ layer, call, output }) - 1 };
}

/** An argument after the first. Tensors stand in it as [layer, call, output]. */
function readKeras2(value: unknown, inputs: Reference[], where: string): Template {
  if (isKeras2Tensor(value, [3]) && (value[0] === CONSTANT || isIndex(value[2]))) {
    return value[0] === CONSTANT
      ? readKeras2(value[2], inputs, where)
      : addTensor(value[0], value[1], value[2], inputs, where);
  }
  const read = (part: unknown): Template => readKeras2(part, inputs, where);
  if (Array.isArray(value)) return value.map(read);
  if (!isConfig(value)) return readPlain(value, where);
  if (value.class_name === "__ellipsis__") return { ellipsis: true };
  const keys = Object.keys(value);
  if (keys.length === 3 && ["start", "stop", "step"].every((key) => key in value)) {
    return { slice: [read(value.start), read(value.stop), read(value.step)] };
  }
  return { dict: mapValues(value, read) };
}

/** Values that Keras 3 writes as { class_name, config }. */
function readKeras3(value: unknown, inputs: Reference[], where: string): Template {
  const read = (part: unknown): Template => readKeras3(part, inputs, where);
  if (Array.isArray(value)) return value.map(read);
  if (!isConfig(value)) return readPlain(value, where);
  if (typeof value.class_name !== "string") return { dict: mapValues(value, read) };
  const config = isConfig(value.config) ? value.config : {};
  switch (value.class_name) {
    case "__keras_tensor__": {
      const history = Array.isArray(config.keras_history) ? (config.keras_history as unknown[]) : [];
      return addTensor(history[0], history[1], history[2], inputs, where);
    }
    case "__slice__":
      return { slice: [read(config.start), read(config.stop), read(config.step)] };
    case "__ellipsis__":
      return { ellipsis: true };
    case "__numpy__":
    case "__tensor__":
      return { array: readArray(config, where) };
    case "DTypePolicy":
      return readPlain(config.name, where);
    default: {
      const hint = "Call the layer with tensors, numbers, strings and lists of them.";
      throw badModel("a value without code of its own", show(value), where, hint);
    }
  }
}

function readArray({ dtype, value }: Config, where: string): Constant {
  const shape: number[] = [];
  for (let level: unknown = value; Array.isArray(level); level = level[0]) shape.push(level.length);
  const values = [value].flat(shape.length + 1);
  const even = values.length === shape.reduce((product, size) => product * size, 1);
  if (
    typeof dtype !== "string" ||
    !even ||
    !values.every((each) => typeof each === "number" || typeof each === "boolean")
  ) {
    throw badModel("an array of numbers", show({ dtype, value }), where, "Save the model again with Keras.");
  }
  return { dtype, shape, values };
}

function readPlain(value: unknown, where: string): Template {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && !Number.isFinite(value)) {
    return { number: String(value) as "Infinity" | "-Infinity" | "NaN" };
  }
  if (typeof value === "boolean" || typeof value === "number" || typeof value === "string") return value;
  throw badModel("a tensor, number, string or list of them", show(value), where, "Save the model again.");
}

function mapValues(record: Config, map: (value: unknown) => Template): Readonly<Record<string, Template>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

function noTensor(received: unknown, where: string): Error {
  return badModel(
    "a tensor as [layer, call, output]",
    show(received),
    where,
    "Save the model again with Keras or tfjs.",
  );
}
