import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { type Equation, einsum, parse } from "./einsum.js";
import type { LayerClasses } from "./index.js";
import { type LayerArgs, single } from "./layer.js";
import { type Activation, activationOf, weightOptions } from "./weights.js";

/** A text under the key `name`: the only texts that tfjs leaves as they are when it saves and loads. */
type Text = string | { readonly name: string };

interface EinsumDenseConfig extends LayerArgs {
  readonly activation?: unknown;
  readonly equation: Text;
  readonly outputShape: number | readonly (number | null)[];
  readonly biasAxes?: Text | null;
}

/** y = activation(einsum(equation, x, kernel) + bias), the bias along the dimensions that `bias_axes` names. */
class EinsumDense extends tf.layers.Layer {
  static readonly className = "EinsumDense";
  readonly activation: Activation;
  readonly #config: EinsumDenseConfig;
  readonly #equation: string;
  readonly #biasAxes: string;
  readonly #outputShape: readonly (number | null)[];
  #read: Equation | undefined;
  #kernel!: tf.LayerVariable;
  #bias: tf.LayerVariable | undefined;

  constructor(config: EinsumDenseConfig) {
    super(config);
    const text = (value: Text): string => (typeof value === "string" ? value : value.name);
    this.#equation = text(config.equation);
    this.#biasAxes = config.biasAxes ? text(config.biasAxes) : "";
    this.#outputShape = [config.outputShape].flat() as (number | null)[];
    this.#config = config;
    this.activation = activationOf(config);
  }

  /** The equation for inputs of the model's rank, letters in place of an ellipsis. */
  get equation(): Equation | undefined {
    return this.#read;
  }

  override build(inputShape: tf.Shape): void {
    const { equation, sizes } = this.#shapes(inputShape);
    this.#read = equation;
    const size = (label: string): number => {
      const known = sizes.get(label);
      if (typeof known === "number") return known;
      const hint = "Give every dimension of the kernel a size, in output_shape or by the model's input.";
      throw badModel(`a size for "${label}" of "${this.#equation}"`, "none", `layer "${this.name}"`, hint);
    };
    const add = (name: "kernel" | "bias", shape: number[]): tf.LayerVariable => {
      const { initializer, regularizer, constraint } = this.#weight(name);
      return this.addWeight(name, shape, "float32", initializer, regularizer, true, constraint);
    };
    this.#kernel = add("kernel", [...equation.right].map(size));
    if (this.#biasAxes) {
      const first = Math.min(...[...this.#biasAxes].map((label) => equation.result.indexOf(label)));
      if (first < 0) {
        const hint = "Name dimensions of the result.";
        throw badModel(
          `bias_axes within "${equation.result}"`,
          `"${this.#biasAxes}"`,
          `layer "${this.name}"`,
          hint,
        );
      }
      const shape = [...equation.result].slice(first);
      this.#bias = add(
        "bias",
        shape.map((label) => (this.#biasAxes.includes(label) ? size(label) : 1)),
      );
    }
    super.build(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const product = einsum(this.#read!, single(inputs), this.#kernel.read());
      const y = this.#bias ? tf.add(product, this.#bias.read()) : product;
      return this.activation.apply(y);
    });
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return this.#shapes(inputShape).output as tf.Shape;
  }

  override getConfig(): tf.serialization.ConfigDict {
    return {
      ...super.getConfig(),
      ...this.#weight("kernel").config,
      ...this.#weight("bias").config,
      activation: (this.#config.activation ?? "linear") as string,
      equation: { name: this.#equation },
      outputShape: [...this.#outputShape],
      biasAxes: this.#biasAxes ? { name: this.#biasAxes } : null,
    };
  }

  #weight(name: "kernel" | "bias") {
    return weightOptions(this.#config, name, name === "kernel" ? "glorotUniform" : "zeros");
  }

  /** What each letter stands for: dimensions of the input, else those that `output_shape` gives. */
  #shapes(input: readonly (number | null)[]) {
    const where = `layer "${this.name}"`;
    const [, right = ""] = /,(\w*)->/.exec(this.#equation) ?? [];
    const equation = parse(this.#equation, [input.length, right.length], where);
    const sizes = new Map([...equation.left].map((label, i) => [label, input[i] ?? null]));
    // output_shape leaves out the batch and what stands under an ellipsis.
    const [before = "", after = ""] = this.#equation.split("->")[1]!.split("...");
    const hidden = equation.result.length - before.length - after.length;
    const given = [...equation.result].filter(
      (_, i) => i > 0 && (i < before.length || i >= before.length + hidden),
    );
    const written = this.#equation.includes("...") && before === "" ? [...after] : given;
    if (written.length !== this.#outputShape.length) {
      const expected = `${written.length} sizes in output_shape for "${this.#equation}"`;
      throw badModel(expected, `[${this.#outputShape}]`, where, "Give one for each dimension but the batch.");
    }
    for (const [i, label] of written.entries()) {
      if (sizes.get(label) == null) sizes.set(label, this.#outputShape[i] ?? null);
    }
    return { equation, sizes, output: [...equation.result].map((label) => sizes.get(label) ?? null) };
  }
}

export const EINSUM: LayerClasses = { EinsumDense };
