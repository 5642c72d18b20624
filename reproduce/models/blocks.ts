import { tf } from "../../sdk/index.js";

/** What every network of this folder is built from. */
export interface NetworkOptions {
  /** Height, width and channels. */
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
  /** The fresh weights follow from it. */
  readonly seed?: number | undefined;
}

export interface ConvolutionOptions {
  readonly name: string;
  readonly filters: number;
  readonly kernelSize: number;
  readonly strides?: number;
  /** "same", or the zeros on every side. */
  readonly padding?: "same" | number;
}

/** The layers of one network, each followed by its batch normalization where it computes; weights are drawn in the order of the calls. */
export interface Blocks {
  /** Convolution and batch normalization. */
  convolve(x: tf.SymbolicTensor, options: ConvolutionOptions): tf.SymbolicTensor;
  /** One 3x3 kernel per channel, and batch normalization. */
  depthwise(x: tf.SymbolicTensor, name: string, strides: number): tf.SymbolicTensor;
  /** Dense layer and batch normalization. */
  connect(x: tf.SymbolicTensor, name: string, units: number): tf.SymbolicTensor;
  relu(x: tf.SymbolicTensor, name: string, maximum?: number): tf.SymbolicTensor;
  maximum(x: tf.SymbolicTensor, name: string, size: number, padding: "same" | "valid"): tf.SymbolicTensor;
  add(x: tf.SymbolicTensor, y: tf.SymbolicTensor, name: string): tf.SymbolicTensor;
  average(x: tf.SymbolicTensor): tf.SymbolicTensor;
  flatten(x: tf.SymbolicTensor): tf.SymbolicTensor;
  classify(x: tf.SymbolicTensor, classes: number): tf.SymbolicTensor;
}

/** @returns layers whose fresh weights (He et al., 2015) follow from `seed` */
export function blocksOf(seed: number): Blocks {
  let drawn = 0;
  // tfjs takes a seed of 0 for none.
  const initializer = () => tf.initializers.heNormal({ seed: seed * 1000 + drawn++ || 999 });
  const through = (layer: tf.layers.Layer, x: tf.SymbolicTensor | tf.SymbolicTensor[]) =>
    layer.apply(x) as tf.SymbolicTensor;
  const normalize = (x: tf.SymbolicTensor, name: string) =>
    through(tf.layers.batchNormalization({ name: `${name}_bn` }), x);

  return {
    convolve(x, { name, filters, kernelSize, strides = 1, padding = "same" }) {
      const padded =
        typeof padding === "number" && padding > 0
          ? through(tf.layers.zeroPadding2d({ name: `${name}_pad`, padding }), x)
          : x;
      const convolution = tf.layers.conv2d({
        ...{ name, filters, kernelSize, strides, useBias: false },
        padding: padding === "same" ? "same" : "valid",
        kernelInitializer: initializer(),
      });
      return normalize(through(convolution, padded), name);
    },
    depthwise(x, name, strides) {
      const convolution = tf.layers.depthwiseConv2d({
        ...{ name, strides, kernelSize: 3, padding: "same", useBias: false },
        depthwiseInitializer: initializer(),
      });
      return normalize(through(convolution, x), name);
    },
    connect(x, name, units) {
      const dense = tf.layers.dense({ name, units, useBias: false, kernelInitializer: initializer() });
      return normalize(through(dense, x), name);
    },
    relu(x, name, maximum) {
      const layer =
        maximum === undefined
          ? tf.layers.activation({ name, activation: "relu" })
          : tf.layers.reLU({ name, maxValue: maximum });
      return through(layer, x);
    },
    maximum: (x, name, poolSize, padding) =>
      through(tf.layers.maxPooling2d({ name, poolSize, strides: 2, padding }), x),
    add: (x, y, name) => through(tf.layers.add({ name }), [x, y]),
    average: (x) =>
      through(
        tf.layers.globalAveragePooling2d({ name: "pool" } as Parameters<
          typeof tf.layers.globalAveragePooling2d
        >[0]),
        x,
      ),
    flatten: (x) => through(tf.layers.flatten({ name: "flatten" }), x),
    classify(x, units) {
      const dense = {
        name: "classes",
        units,
        activation: "softmax",
        kernelInitializer: initializer(),
      } as const;
      return through(tf.layers.dense(dense), x);
    },
  };
}
