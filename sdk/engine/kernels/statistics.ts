import * as tf from "@tensorflow/tfjs";
import { measure, PLACE } from "../../staircase/measure.js";
import { STATISTICS, type Statistic } from "../../staircase/statistics.js";
import { read, write } from "./host.js";
import { type NativeBackend, operation } from "./native-operation.js";

/** The raw statistic vector of `x`; those that `only` leaves out may be 0. */
export const STATISTICS_KERNEL = "AutoqnnStatistics";

interface Call {
  inputs: { x: tf.Tensor };
  attrs: { only: readonly Statistic[] };
}

/** In plain operations, which XLA compiles. */
export function statisticsExpression(x: tf.Tensor, only: readonly Statistic[]): tf.Tensor {
  return tf.tidy(() => {
    const wanted = new Set(only);
    const n = x.size;
    const zero = tf.scalar(0);
    const magnitude = tf.abs(x);
    const absMean = tf.mean(magnitude);
    const values: Record<Statistic, () => tf.Tensor> = {
      one: () => tf.scalar(1),
      absMean: () => absMean,
      ternaryMean: () => {
        const kept = tf.cast(tf.greater(magnitude, tf.mul(absMean, 0.7)), "float32");
        return tf.div(tf.sum(tf.mul(magnitude, kept)), tf.maximum(tf.sum(kept), 1));
      },
      deviation: () => tf.sqrt(tf.div(tf.sum(tf.square(tf.sub(x, tf.mean(x)))), Math.max(1, n - 1))),
      rectifiedRms: () => tf.sqrt(tf.mul(tf.mean(tf.square(x)), 2)),
      minimum: () => tf.min(x),
      maximum: () => tf.max(x),
      absMaximum: () => tf.max(magnitude),
      residual2: () => scale(2),
      residual3: () => scale(3),
      residual4: () => scale(4),
      residual5: () => scale(5),
    };
    const remainders = [magnitude];
    const scales = [absMean];
    const scale = (depth: number): tf.Tensor => {
      while (scales.length < depth) {
        const last = remainders.at(-1)!;
        // sign(0) = 0: what is met exactly stays met.
        const open = tf.cast(tf.greater(last, 0), "float32");
        remainders.push(tf.mul(tf.abs(tf.sub(last, scales.at(-1)!)), open));
        scales.push(tf.mean(remainders.at(-1)!));
      }
      return scales[depth - 1]!;
    };
    return tf.stack(STATISTICS.map((name) => (wanted.has(name) ? values[name]() : zero)));
  });
}

/** One bit for each statistic, at its place. */
function bits(only: readonly Statistic[]): number {
  return only.reduce((mask, name) => mask | (1 << PLACE[name]), 0);
}

export const statisticsKernels = [
  {
    kernelName: STATISTICS_KERNEL,
    backendName: "cpu",
    kernelFunc: ({ inputs, backend }: Call & { backend: tf.KernelBackend }) =>
      write(backend, [STATISTICS.length], measure(read(backend, inputs.x))),
  },
  {
    kernelName: STATISTICS_KERNEL,
    backendName: "tensorflow",
    kernelFunc: ({ inputs, attrs, backend }: Call & { backend: NativeBackend }) =>
      backend.expressions
        ? statisticsExpression(inputs.x, attrs.only)
        : operation(
            { backend, type: STATISTICS_KERNEL, inputs: [inputs.x], outputs: 1 },
            { only: ["INT", bits(attrs.only)] },
          )[0]!,
  },
];
