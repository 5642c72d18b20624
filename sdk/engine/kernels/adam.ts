import * as tf from "@tensorflow/tfjs";
import { type NativeBackend, operation } from "./native-operation.js";

/** One update of Adam in one pass: x, its moments m and v, and a gradient of one shape, to the next x, m and v. */
export const ADAM_KERNEL = "AutoqnnAdam";

interface Call {
  inputs: { x: tf.Tensor; gradient: tf.Tensor; m: tf.Tensor; v: tf.Tensor; rate: tf.Tensor };
  attrs: { beta1: number; beta2: number; epsilon: number };
}

/** In plain operations, which XLA compiles. */
export function adamExpression({ inputs, attrs }: Call): tf.Tensor[] {
  const { x, gradient, m, v, rate } = inputs;
  const { beta1, beta2, epsilon } = attrs;
  return tf.tidy(() => {
    const nextM = tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1));
    const nextV = tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2));
    const step = tf.div(nextM, tf.add(tf.sqrt(nextV), epsilon));
    return [tf.sub(x, tf.mul(step, rate)), nextM, nextV];
  });
}

export const adamKernels = [
  { kernelName: ADAM_KERNEL, backendName: "cpu", kernelFunc: adamExpression },
  {
    kernelName: ADAM_KERNEL,
    backendName: "tensorflow",
    kernelFunc: (call: Call & { backend: NativeBackend }) => {
      if (call.backend.expressions) return adamExpression(call);
      const { x, gradient, m, v, rate } = call.inputs;
      const { beta1, beta2, epsilon } = call.attrs;
      return operation(
        { backend: call.backend, type: ADAM_KERNEL, inputs: [x, gradient, m, v, rate], outputs: 3 },
        {
          beta1: ["FLOAT", beta1],
          gain1: ["FLOAT", 1 - beta1],
          beta2: ["FLOAT", beta2],
          gain2: ["FLOAT", 1 - beta2],
          epsilon: ["FLOAT", epsilon],
        },
      );
    },
  },
];
