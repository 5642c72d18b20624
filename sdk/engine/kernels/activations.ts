import * as tf from "@tensorflow/tfjs";
import { read, write } from "./host.js";
import { type NativeBackend, operation } from "./native-operation.js";

/**
 * Activations whose gradient tfjs composes of several passes with masks between them, and TensorFlow takes in one.
 * The gradient passes where the output lies above 0 and below `top`.
 */
const ACTIVATIONS = [
  { kernel: "Relu", operation: "ReluGrad", top: Number.POSITIVE_INFINITY },
  { kernel: "Relu6", operation: "Relu6Grad", top: 6 },
] as const;

interface Call {
  inputs: { dy: tf.Tensor; y: tf.Tensor };
}

const gradientOf = (kernel: string): string => `Autoqnn${kernel}Gradient`;

export const activationKernels = ACTIVATIONS.flatMap(({ kernel, operation: type, top }) => [
  {
    kernelName: gradientOf(kernel),
    backendName: "cpu",
    kernelFunc: ({ inputs, backend }: Call & { backend: tf.KernelBackend }) => {
      const y = read(backend, inputs.y);
      const dx = read(backend, inputs.dy).map((dy, i) => (y[i]! > 0 && y[i]! < top ? dy : 0));
      return write(backend, inputs.y.shape, dx);
    },
  },
  {
    kernelName: gradientOf(kernel),
    backendName: "tensorflow",
    kernelFunc: ({ inputs, backend }: Call & { backend: NativeBackend }) =>
      operation({ backend, type, inputs: [inputs.dy, inputs.y], outputs: 1 }, { T: ["TYPE", "float32"] })[0]!,
  },
]);

/** They take the place of tfjs's own. */
export const activationGradients = ACTIVATIONS.map(({ kernel }) => ({
  kernelName: kernel,
  outputsToSave: [true],
  gradFunc: (dy: tf.Tensor | tf.Tensor[], saved: tf.Tensor[]) => ({
    x: () => tf.engine().runKernel<tf.Tensor>(gradientOf(kernel), { dy: dy as tf.Tensor, y: saved[0]! }),
  }),
}));
