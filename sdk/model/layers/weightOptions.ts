import * as tf from "@tensorflow/tfjs";

type DenseArgs = Parameters<typeof tf.layers.dense>[0];

/** Where a weight starts and what holds it: initializer, regularizer, constraint. */
interface Options {
  readonly initializer: ReturnType<typeof tf.initializers.zeros>;
  readonly regularizer: ReturnType<typeof tf.regularizers.l2>;
  readonly constraint: ReturnType<typeof tf.constraints.nonNeg>;
}

/** An activation function as a layer holds it. */
export interface Activation {
  apply(x: tf.Tensor): tf.Tensor;
  getClassName(): string;
}

/** The options that layers with kernels and biases share, as they stand in a configuration. */
export type WeightConfig = Partial<
  Pick<
    DenseArgs,
    | "activation"
    | "kernelInitializer"
    | "biasInitializer"
    | "kernelRegularizer"
    | "biasRegularizer"
    | "activityRegularizer"
    | "kernelConstraint"
    | "biasConstraint"
  >
>;

const KEYS = [
  "activation",
  "kernelInitializer",
  "biasInitializer",
  "kernelRegularizer",
  "biasRegularizer",
  "activityRegularizer",
  "kernelConstraint",
  "biasConstraint",
] as const;

export interface WeightOptions {
  readonly activation: Activation | undefined;
  readonly kernel: Options;
  readonly bias: Options;
  readonly config: tf.serialization.ConfigDict;
}

/** Reads the options by tfjs's own dense layer, the only door to its readers of initializers and activations. */
export function weightOptions(config: WeightConfig): WeightOptions {
  const given = Object.fromEntries(KEYS.flatMap((key) => (config[key] == null ? [] : [[key, config[key]]])));
  const dense = tf.layers.dense({ units: 1, ...given });
  const held = dense as unknown as Readonly<Record<string, unknown>>;
  const of = (kind: "kernel" | "bias"): Options => ({
    initializer: held[`${kind}Initializer`] as Options["initializer"],
    regularizer: held[`${kind}Regularizer`] as Options["regularizer"],
    constraint: held[`${kind}Constraint`] as Options["constraint"],
  });
  const written = dense.getConfig();
  return {
    activation: held.activation as Activation | undefined,
    kernel: of("kernel"),
    bias: of("bias"),
    config: Object.fromEntries(KEYS.map((key) => [key, written[key] ?? null])),
  };
}
