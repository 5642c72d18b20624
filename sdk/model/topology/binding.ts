import { badModel } from "../badModel.js";
import { type Config, show } from "../config.js";
import { type Call, isAbsent, isList, type Reference, type Template, tensorsIn } from "./calls.js";

/** What a layer class says of its calls. */
export interface Signature {
  /** Names of the arguments that may hold tensors, in the order of Keras's `call`. */
  readonly tensorArguments?: readonly string[];
  /** Names of plain options that change what a call computes. */
  readonly callOptions?: readonly string[];
}

/** The calls of a layer as lists of inputs, and what they have in common beside, as options of the layer. */
export interface Bound {
  readonly inputs: readonly (readonly Reference[])[];
  readonly config: Config;
}

/**
 * Lays the arguments of each call out as a list of tensors: those of the first of `tensorArguments` that is given, then
 * those of the next. tfjs hands a layer its inputs alone, so what else it must know becomes a part of its configuration:
 * `inputs`, the argument that each tensor belongs to, unless all are of the first; and `call`, the plain options.
 *
 * @throws AutoqnnError `bad-model` for an argument that the class does not know, and for calls that differ in more than
 * their tensors.
 */
export function bind(calls: readonly Call[], signature: Signature, where: string): Bound {
  const bound = calls.map((call) => bindOne(call, signature, where));
  const configs = bound.map(({ config }) => show(config, Number.POSITIVE_INFINITY));
  const other = configs.find((config) => config !== configs[0]);
  if (other !== undefined) {
    const hint = "Make one layer for each way of calling it.";
    throw badModel(`calls that agree in all but tensors, such as ${configs[0]}`, other, where, hint);
  }
  return { inputs: bound.map(({ inputs }) => inputs), config: bound[0]?.config ?? {} };
}

function bindOne(
  call: Call,
  { tensorArguments, callOptions = [] }: Signature,
  where: string,
): { readonly inputs: readonly Reference[]; readonly config: Config } {
  const { positional, keyword } = call.arguments;
  const names = tensorArguments ?? [firstKeyword(call) ?? "inputs"];
  if (positional.length > names.length && !positional.slice(names.length).every(isAbsent)) {
    throw unknownArgument(`argument ${names.length + 1},`, positional[names.length]!, where);
  }
  const given = new Map(positional.slice(0, names.length).map((value, i) => [names[i]!, value]));
  const options: Record<string, Template> = {};
  for (const [name, value] of Object.entries(keyword)) {
    if (names.includes(name)) given.set(name, value);
    else if (callOptions.includes(name) && tensorsIn(value).length === 0) {
      if (!isAbsent(value)) options[name] = value;
    } else if (!isAbsent(value) && !saysNothing(name, value)) throw unknownArgument(name, value, where);
  }
  const order = names.flatMap((name) =>
    tensorsOf(given.get(name) ?? null, where).map((tensor) => ({ name, tensor })),
  );
  if (order.length === 0) {
    throw badModel("a call with at least one tensor", show(call.arguments), where, "Save the model again.");
  }
  const plain = order.every(({ name }) => name === names[0]);
  return {
    inputs: order.map(({ tensor }) => call.inputs[tensor]!),
    config: {
      ...(!plain && { inputs: order.map(({ name }) => name) }),
      ...(Object.keys(options).length > 0 && { call: options }),
    },
  };
}

/** Being called for inference while the model was built says nothing of later calls. */
function saysNothing(name: string, value: Template): boolean {
  return name === "training" && value === false;
}

/** The argument that holds the tensors of a call by keywords alone. */
function firstKeyword({ arguments: { positional, keyword } }: Call): string | undefined {
  if (positional.length > 0) return undefined;
  return Object.keys(keyword).find((name) => tensorsIn(keyword[name]!).length > 0);
}

/** Positions of the tensors of an argument that holds nothing else. */
function tensorsOf(value: Template, where: string): readonly number[] {
  if (isAbsent(value)) return [];
  const pure = (part: Template): boolean =>
    typeof part === "object" &&
    part !== null &&
    (isList(part)
      ? part.every(pure)
      : "tensor" in part || ("dict" in part && Object.values(part.dict).every(pure)));
  if (pure(value)) return tensorsIn(value);
  throw badModel("tensors alone in an argument", show(value), where, "Give numbers as inputs of the model.");
}

function unknownArgument(name: string, value: Template, where: string): Error {
  const hint = "Pass further tensors (masks, states, values) as inputs of a layer that tfjs has.";
  return badModel("a call with arguments that its class knows", `${name} ${show(value)}`, where, hint);
}
