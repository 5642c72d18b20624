import * as tf from "@tensorflow/tfjs";

/**
 * The small convolutional network of these notebooks, as notebook 02 writes it: 17,178 parameters, of which 16,848 are
 * weights of three convolutions and a dense layer. Fresh weights follow from fixed seeds.
 */
export function smallNetwork(): tf.LayersModel {
  let drawn = 0;
  const fresh = () => tf.initializers.heNormal({ seed: ++drawn });
  const block = (name: string, filters: number, strides: number, first = {}) => [
    tf.layers.conv2d({
      ...{ name, filters, strides, kernelSize: 3, padding: "same", useBias: false },
      ...{ kernelInitializer: fresh(), ...first },
    }),
    tf.layers.batchNormalization({ name: `${name}_bn`, momentum: 0.9 }),
    tf.layers.reLU({ name: `${name}_relu` }),
  ];
  return tf.sequential({
    name: "small",
    layers: [
      ...block("conv1", 16, 2, { inputShape: [28, 28, 1] }),
      ...block("conv2", 32, 2),
      ...block("conv3", 32, 1),
      tf.layers.maxPooling2d({ name: "pool", poolSize: 2 }),
      tf.layers.flatten({ name: "flat" }),
      tf.layers.dense({
        ...{ name: "classify", units: 10, activation: "softmax" },
        kernelInitializer: fresh(),
      }),
    ],
  });
}
