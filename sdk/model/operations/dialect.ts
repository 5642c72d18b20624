import { badModel } from "../badModel.js";

/** How one function of one writer is an operation of ours. */
export interface Row {
  readonly operation: string;
  /** Its arguments in order: their name, and ours; null for what changes nothing that we compute. */
  readonly arguments: readonly (readonly [theirs: string, ours: string | null])[];
  /** Whether the last positional argument takes all that follow, as a list. */
  readonly rest: boolean;
  /** Values of arguments that are not given, by our names. */
  readonly defaults: Readonly<Record<string, unknown>>;
}

export type Dialect = Readonly<Record<string, Row>>;

/**
 * A row. The signature lists arguments in order: "x" where both names agree, "input_tensor=x" where they do not, "-name"
 * for one that is read past, "*xs" for all that follow.
 *
 * @example
 * row("mean", "input_tensor=x axis keepdims -name")
 */
export function row(operation: string, signature: string, defaults: Row["defaults"] = {}): Row {
  const words = signature.split(" ").filter((word) => word !== "");
  return {
    operation,
    arguments: words.map((word) => {
      if (word.startsWith("-")) return [word.slice(1), null];
      const [theirs, ours = theirs] = word.replace("*", "").split("=") as [string, string?];
      return [theirs, ours!];
    }),
    rest: words.some((word) => word.startsWith("*")),
    defaults,
  };
}

/** The same signature for several functions: theirs to ours. */
export function rows(signature: string, names: Readonly<Record<string, string>>): Dialect {
  return Object.fromEntries(Object.entries(names).map(([theirs, ours]) => [theirs, row(ours, signature)]));
}

/** A function's arguments as a file gives them. */
export interface Given {
  readonly positional: readonly unknown[];
  readonly keyword: Readonly<Record<string, unknown>>;
}

/** One of our operations with its arguments by our names. */
export interface Bound {
  readonly operation: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/**
 * What a call means.
 *
 * @throws AutoqnnError `bad-model` for a function that is not in the table, and for an argument that is not in its row,
 * unless it is None or false.
 */
export function bind(dialect: Dialect, name: string, { positional, keyword }: Given, where: string): Bound {
  const found = Object.hasOwn(dialect, name) ? dialect[name] : undefined;
  if (!found) {
    const hint =
      "Replace it by a layer or by operations that are known: arithmetic, reductions, shapes, products, activations.";
    throw badModel("an operation that can be computed", name, where, hint);
  }
  const values: Record<string, unknown> = { ...found.defaults };
  const set = (ours: string | null | undefined, theirs: string, value: unknown): void => {
    if (value === null || value === undefined || ours === null) return;
    if (ours !== undefined) values[ours] = value;
    else if (value !== false) {
      const hint = "Leave the argument out, or replace the operation by a layer.";
      throw badModel(`${name} without ${theirs}`, JSON.stringify(value).slice(0, 80), where, hint);
    }
  };
  const last = found.arguments.findIndex(([, ours]) => ours === "xs");
  const given = found.rest ? [...positional.slice(0, last), positional.slice(last)] : positional;
  given.forEach((value, i) => {
    const [theirs, ours] = found.arguments[i] ?? [`argument ${i}`, undefined];
    set(ours, theirs, value);
  });
  const names = new Map(found.arguments);
  for (const [theirs, value] of Object.entries(keyword)) set(names.get(theirs), theirs, value);
  return { operation: found.operation, values };
}
