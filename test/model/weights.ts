import * as tf from "@tensorflow/tfjs";

/** The inputs of fixtures/weights.py. */
export function inputs(model: tf.LayersModel): tf.Tensor[] {
  return model.inputs.map(({ shape, dtype }) => {
    const sizes = [2, ...(shape.slice(1) as number[])];
    const size = sizes.reduce((a, b) => a * b, 1);
    const value = dtype === "int32" ? (i: number) => i % 5 : Math.sin;
    return tf.tensor(
      Array.from({ length: size }, (_, i) => value(i)),
      sizes,
      dtype,
    );
  });
}
