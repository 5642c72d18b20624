import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { given } from "../initializers.js";
import type { LayerClasses } from "../layers/index.js";
import type { LayerArgs } from "../layers/layer.js";
import { Arguments } from "./arguments.js";
import { type Bound, bind, type Dialect, type Given } from "./dialect.js";
import { OPERATIONS } from "./index.js";
import { KERAS3 } from "./keras3.js";
import { BATCHES, follow, settled } from "./known.js";
import type { Operation as Row } from "./row.js";
import { FACTORS, type Held, resolved, type Template, tokensOf, withHeld } from "./template.js";
import { TENSORFLOW } from "./tensorflow.js";

/** Whose names of functions: TensorFlow's Python, which Keras 2 writes, or Keras 3's. */
const DIALECTS: ReadonlyMap<string, Dialect> = new Map(Object.entries({ tf: TENSORFLOW, keras3: KERAS3 }));

/** The dialect of `OPERATIONS` itself, in which the layer is saved. */
export const OWN = "autoqnn";

export interface OperationConfig extends LayerArgs {
  readonly dialect: string;
  /** tfjs changes the case of all words but those called `name`. */
  readonly function: { readonly name: string };
  /** JSON of `Given`, with tokens (see template.ts) for what is there only in a call. */
  readonly arguments: { readonly name: string };
}

/** Multiply-accumulates in which its variable, or where it has none another input, meets an input. */
export interface Product {
  readonly weight: string | number;
  readonly input: number;
  readonly macs: number;
}

const isSymbolic = (x: unknown): x is tf.SymbolicTensor => x instanceof tf.SymbolicTensor;
const listOf = <T>(value: T | readonly T[]): readonly T[] => (Array.isArray(value) ? value : [value as T]);
/** One shape, or the shapes of several tensors. */
const shapesOf = <T>(shape: readonly T[] | readonly (readonly T[])[]): readonly (readonly T[])[] =>
  Array.isArray(shape[0]) ? (shape as readonly (readonly T[])[]) : [shape as readonly T[]];

/**
 * One operation of the table on the layer's inputs, such as a sum, a matrix product or a reshaping: what Keras writes for
 * functions called on tensors, and TensorFlow for the nodes of its graphs. The function's name is looked up; nothing from
 * a file is run. Constants of two axes and more that are computed with are variables of the layer.
 *
 * @throws AutoqnnError `bad-model` for a function or an argument that is not in the tables.
 * @example
 * // x => mean of x over the axes 1 and 2
 * const given = { positional: [{ tensor: 0 }], keyword: { axis: [1, 2] } };
 * new Operation({ dialect: "tf", function: { name: "math.reduce_mean" }, arguments: { name: JSON.stringify(given) } });
 */
export class Operation extends tf.layers.Layer {
  static readonly className = "Operation";
  /** The name of its row in `OPERATIONS`. */
  readonly operation: string;
  readonly #row: Row;
  readonly #held: ReadonlyMap<string, Held>;
  readonly #variables = new Map<string, tf.LayerVariable>();
  #template: Template;

  constructor(config: OperationConfig) {
    super(config);
    const { operation, values } = this.#bind(config);
    const { template, held } = withHeld(values);
    this.operation = operation;
    this.#row = OPERATIONS[operation]!;
    this.#held = held;
    this.#template = template;
  }

  #bind({ dialect, function: { name }, arguments: given }: OperationConfig): Bound {
    const call = JSON.parse(given.name) as Given;
    if (dialect !== OWN) return bind(DIALECTS.get(dialect) ?? {}, name, call, this.#where);
    if (Object.hasOwn(OPERATIONS, name)) return { operation: name, values: call.keyword };
    throw badModel("an operation of this version", name, this.#where, "Load the original model instead.");
  }

  get #where(): string {
    return `layer "${this.name}"`;
  }

  /** Whether its result is made as the values of its one input arrive, each from one. */
  get streams(): boolean {
    const { valuewise, renames } = this.#row;
    return (valuewise ?? renames ?? false) && this.#inputs.length === 1;
  }

  /** Whether its results hold values of its inputs, only elsewhere, or all rescaled alike. */
  get moves(): boolean {
    const { moves, affine } = this.#row;
    const plain = Object.values(this.#template).some((value) => typeof value === "number");
    return this.#held.size === 0 && (moves ?? (affine && plain && this.#inputs.length === 1) ?? false);
  }

  /** Whether input `i` is computed with: not a condition, nor positions in a table. */
  computesWith(i: number): boolean {
    return this.#inputs.some(({ tensor, argument }) => tensor === i && FACTORS.has(argument));
  }

  /** The tensors among its arguments, in their order. */
  get #inputs(): readonly { readonly tensor: number; readonly argument: string }[] {
    return tokensOf(this.#template).flatMap(({ name, token }) =>
      "tensor" in token ? [{ tensor: token.tensor, argument: name }] : [],
    );
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    for (const [name, { shape, values }] of this.#held) {
      this.#variables.set(
        name,
        given(values, (start) => this.addWeight(name, [...shape], "float32", start)),
      );
    }
    super.build(inputShape);
  }

  /** Arguments that follow from shapes are settled here, before anything is computed. */
  override apply(
    inputs: Parameters<tf.layers.Layer["apply"]>[0],
    kwargs?: tf.serialization.ConfigDict,
  ): ReturnType<tf.layers.Layer["apply"]> {
    const sources = listOf(inputs as tf.SymbolicTensor | tf.SymbolicTensor[]);
    if (!sources.every(isSymbolic)) return super.apply(inputs, kwargs);
    const template = this.#template;
    this.#template = settled(template, sources);
    const outputs = super.apply(inputs, kwargs);
    const results = listOf(outputs as tf.SymbolicTensor | tf.SymbolicTensor[]);
    follow(this.#row, template, sources, results, this.#where);
    return outputs;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
    const tensors = listOf(inputs);
    return tf.tidy(() => {
      const values = resolved(this.#template, {
        tensor: (i) => tensors[i]!,
        weight: (name) => this.#variables.get(name)!.read(),
        batch: (i) => tensors[i]!.shape[0]!,
      });
      return this.#row.compute(new Arguments(this.#where, values));
    });
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    const results = BATCHES.map((open) =>
      this.#row.shape(this.#shaped(shapesOf<number | null>(inputShape), open)),
    );
    const [one, two] = results.map((result) => shapesOf<number>(result));
    const shapes = one!.map((shape, k) => shape.map((n, i) => (n === two![k]![i] ? n : null)));
    return Array.isArray(results[0]![0]) ? shapes : shapes[0]!;
  }

  /** Its arguments, as far as shapes tell, with open dimensions of `open`. */
  #shaped(inputShapes: readonly (readonly (number | null)[])[], open: number): Arguments {
    const shapes = inputShapes.map((shape) => shape.map((n) => n ?? open));
    const values = resolved(this.#template, {
      tensor: (i) => ({ shape: shapes[i]! }),
      weight: (_, shape) => ({ shape }),
      batch: (i) => shapes[i]![0]!,
    });
    return new Arguments(this.#where, values);
  }

  /** Its multiply-accumulates for inputs of these shapes, the batch first. */
  products(inputShapes: readonly (readonly number[])[]): readonly Product[] {
    const [held] = this.#held.keys();
    const [input, other] = this.#inputs;
    const weight = held ?? other?.tensor;
    if (!this.#row.macs || weight === undefined || input === undefined) return [];
    return [{ weight, input: input.tensor, macs: this.#row.macs(this.#shaped(inputShapes, 1)) }];
  }

  override getConfig(): tf.serialization.ConfigDict {
    const given: Given = { positional: [], keyword: this.#template };
    return {
      ...super.getConfig(),
      dialect: OWN,
      function: { name: this.operation },
      arguments: { name: JSON.stringify(given) },
    };
  }
}

export const OPERATION: LayerClasses = { Operation };
