import * as tf from "@tensorflow/tfjs";
import { read, write } from "./host.js";
import { type NativeBackend, operation } from "./native-operation.js";

/**
 * Normalization of x [N, H, W, C] by its own moments: y, mean, biased variance, and two tensors for the gradient, whose
 * meaning is the device's own.
 */
export const BATCH_NORM_KERNEL = "AutoqnnBatchNorm";
const GRADIENT_KERNEL = "AutoqnnBatchNormGradient";

interface Call {
  inputs: { x: tf.Tensor; gamma: tf.Tensor; beta: tf.Tensor };
  attrs: { epsilon: number };
}
interface GradientCall {
  inputs: { dy: tf.Tensor; x: tf.Tensor; gamma: tf.Tensor; first: tf.Tensor; second: tf.Tensor };
  attrs: { epsilon: number };
}

/** Calls `visit` with the index of every element and its channel, the last axis. */
function eachElement(size: number, channels: number, visit: (i: number, c: number) => void): void {
  for (let i = 0, c = 0; i < size; i++, c = c + 1 === channels ? 0 : c + 1) visit(i, c);
}

function onHost({ inputs, attrs, backend }: Call & { backend: tf.KernelBackend }): tf.TensorInfo[] {
  const [x, gamma, beta] = [inputs.x, inputs.gamma, inputs.beta].map((t) => read(backend, t)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const channels = gamma.length;
  const n = x.length / channels;
  const mean = new Float64Array(channels);
  const variance = new Float64Array(channels);
  eachElement(x.length, channels, (i, c) => {
    mean[c]! += x[i]! / n;
  });
  eachElement(x.length, channels, (i, c) => {
    variance[c]! += (x[i]! - mean[c]!) ** 2 / n;
  });
  const inverse = variance.map((v) => 1 / Math.sqrt(v + attrs.epsilon));
  const y = new Float32Array(x.length);
  eachElement(x.length, channels, (i, c) => {
    y[i] = (x[i]! - mean[c]!) * inverse[c]! * gamma[c]! + beta[c]!;
  });
  const vectors = [mean, variance, mean, inverse].map((v) =>
    write(backend, [channels], Float32Array.from(v)),
  );
  return [write(backend, inputs.x.shape, y), ...vectors];
}

function gradientOnHost({ inputs, backend }: GradientCall & { backend: tf.KernelBackend }): tf.TensorInfo[] {
  const [dy, x, gamma, mean, inverse] = [inputs.dy, inputs.x, inputs.gamma, inputs.first, inputs.second].map(
    (t) => read(backend, t),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  const channels = gamma.length;
  const n = x.length / channels;
  const dgamma = new Float64Array(channels);
  const dbeta = new Float64Array(channels);
  eachElement(x.length, channels, (i, c) => {
    dbeta[c]! += dy[i]!;
    dgamma[c]! += dy[i]! * (x[i]! - mean[c]!) * inverse[c]!;
  });
  const dx = new Float32Array(x.length);
  eachElement(x.length, channels, (i, c) => {
    const normal = (x[i]! - mean[c]!) * inverse[c]!;
    dx[i] = gamma[c]! * inverse[c]! * (dy[i]! - dbeta[c]! / n - (normal * dgamma[c]!) / n);
  });
  return [
    write(backend, inputs.x.shape, dx),
    write(backend, [channels], Float32Array.from(dgamma)),
    write(backend, [channels], Float32Array.from(dbeta)),
  ];
}

const attributes = (epsilon: number) =>
  ({
    T: ["TYPE", "float32"],
    U: ["TYPE", "float32"],
    epsilon: ["FLOAT", epsilon],
    data_format: ["STRING", "NHWC"],
    is_training: ["BOOL", true],
  }) as const;

export const batchNormKernels = [
  { kernelName: BATCH_NORM_KERNEL, backendName: "cpu", kernelFunc: onHost },
  { kernelName: GRADIENT_KERNEL, backendName: "cpu", kernelFunc: gradientOnHost },
  {
    kernelName: BATCH_NORM_KERNEL,
    backendName: "tensorflow",
    kernelFunc: ({ inputs, attrs, backend }: Call & { backend: NativeBackend }) => {
      const { x, gamma, beta } = inputs;
      const none = tf.zeros([0]);
      // Version 2: the extra output of version 3 has no shape before the run.
      const [y, mean, unbiased, first, second] = operation(
        { backend, type: "FusedBatchNormV2", inputs: [x, gamma, beta, none, none], outputs: 5 },
        attributes(attrs.epsilon),
      ) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
      none.dispose();
      const n = x.size / gamma.size;
      // Of one value there is no unbiased variance, and a GPU says so.
      const variance = n > 1 ? tf.mul(unbiased, (n - 1) / n) : tf.zerosLike(unbiased);
      unbiased.dispose();
      return [y, mean, variance, first, second];
    },
  },
  {
    kernelName: GRADIENT_KERNEL,
    backendName: "tensorflow",
    kernelFunc: ({ inputs, attrs, backend }: GradientCall & { backend: NativeBackend }) => {
      const { dy, x, gamma, first, second } = inputs;
      const [dx, dgamma, dbeta, ...unused] = operation(
        { backend, type: "FusedBatchNormGradV2", inputs: [dy, x, gamma, first, second], outputs: 5 },
        attributes(attrs.epsilon),
      );
      tf.dispose(unused);
      return [dx, dgamma, dbeta];
    },
  },
];

/** The moments carry no gradient: what becomes of them are moving averages. */
export const batchNormGradient = {
  kernelName: BATCH_NORM_KERNEL,
  inputsToSave: ["x", "gamma"],
  outputsToSave: [false, false, false, true, true],
  gradFunc: (dys: tf.Tensor | tf.Tensor[], saved: tf.Tensor[], attrs: object) => {
    const [x, gamma, first, second] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
    const [dx, dgamma, dbeta] = tf
      .engine()
      .runKernel<tf.Tensor[]>(
        GRADIENT_KERNEL,
        { dy: (dys as tf.Tensor[])[0]!, x, gamma, first, second },
        { ...attrs },
      ) as [tf.Tensor, tf.Tensor, tf.Tensor];
    return { x: () => dx, gamma: () => dgamma, beta: () => dbeta };
  },
};
