import * as tf from "@tensorflow/tfjs";
import { bucket } from "../../staircase/bucket.js";
import { read, write } from "./host.js";
import { type NativeBackend, operation } from "./native-operation.js";

/**
 * y = scale (base + sum_k steps_k [x > scale thresholds_k]), thresholds in any order; and what the gradient may want to be
 * kept of where the elements lie, which is the device's own.
 */
export const STAIRCASE_KERNEL = "AutoqnnStaircase";

/** Gradients by x, steps, base and scale; dy passes to x in the measure of a second staircase, the mask. */
export const STAIRCASE_GRADIENT_KERNEL = "AutoqnnStaircaseGradient";

type Name = "x" | "thresholds" | "steps" | "base" | "scale" | "maskThresholds" | "maskSteps" | "maskBase";
interface Call {
  inputs: Readonly<Record<Name, tf.Tensor>>;
}
interface GradientCall {
  inputs: Readonly<Record<Name | "dy", tf.Tensor>>;
}

/** Thresholds in ascending order, and the levels before, between and behind them: sums of the steps so far. */
function sorted(thresholds: Float32Array, steps: Float32Array, base: number, scale: number) {
  const order = Array.from(thresholds.keys()).sort((a, b) => thresholds[a]! - thresholds[b]!);
  const levels = Float32Array.of(base, ...order);
  let sum = base;
  for (const [i, k] of order.entries()) {
    sum += steps[k]!;
    levels[i + 1] = sum;
  }
  return { order, thresholds: Float32Array.from(order, (k) => thresholds[k]! * scale), levels };
}

function onHost({ inputs, backend }: Call & { backend: tf.KernelBackend }): tf.TensorInfo[] {
  const values = (tensor: tf.Tensor) => read(backend, tensor);
  const [base, scale] = [values(inputs.base)[0]!, values(inputs.scale)[0]!];
  const { thresholds, levels } = sorted(values(inputs.thresholds), values(inputs.steps), base, scale);
  const y = values(inputs.x).map((x) => levels[bucket(thresholds, x)]! * scale);
  return [write(backend, inputs.x.shape, y), write(backend, [0], new Float32Array())];
}

function gradientOnHost({ inputs, backend }: GradientCall & { backend: tf.KernelBackend }): tf.TensorInfo[] {
  const values = (tensor: tf.Tensor) => read(backend, tensor);
  const [x, dy, steps] = [values(inputs.x), values(inputs.dy), values(inputs.steps)];
  const [base, scale] = [values(inputs.base)[0]!, values(inputs.scale)[0]!];
  const { order, thresholds } = sorted(values(inputs.thresholds), steps, base, scale);
  const mask = sorted(
    values(inputs.maskThresholds),
    values(inputs.maskSteps),
    values(inputs.maskBase)[0]!,
    scale,
  );
  const histogram = new Float64Array(thresholds.length + 1);
  const dx = new Float32Array(x.length);
  let passed = 0;
  for (let i = 0; i < x.length; i++) {
    histogram[bucket(thresholds, x[i]!)]! += dy[i]!;
    dx[i] = dy[i]! * mask.levels[bucket(mask.thresholds, x[i]!)]!;
    passed += dx[i]! * x[i]!;
  }
  const above = new Float64Array(order.length);
  let sum = 0;
  for (let k = order.length - 1; k >= 0; k--) {
    sum += histogram[k + 1]!;
    above[order[k]!] = sum;
  }
  const total = sum + histogram[0]!;
  const dscale = above.reduce((s, c, k) => s + c * steps[k]!, base * total) - passed / scale;
  const dsteps = Float32Array.from(above, (c) => c * scale);
  return [
    write(backend, inputs.x.shape, dx),
    write(backend, inputs.steps.shape, dsteps),
    write(backend, inputs.base.shape, Float32Array.of(total * scale)),
    write(backend, inputs.scale.shape, Float32Array.of(dscale)),
  ];
}

/** A staircase on the device: sorted thresholds, how they were sorted, and the bucket of each element of x. */
function located(backend: NativeBackend, x: tf.Tensor, thresholds: tf.Tensor, scale: tf.Tensor) {
  const { values, indices } = tf.topk(tf.neg(thresholds), thresholds.size, true);
  const ascending = tf.mul(tf.neg(values), scale);
  const [buckets] = operation(
    {
      backend,
      type: "LowerBound",
      inputs: [tf.reshape(ascending, [1, -1]), tf.reshape(x, [1, -1])],
      outputs: 1,
    },
    { T: ["TYPE", "float32"], out_type: ["TYPE", "int32"] },
  );
  return { order: indices as tf.Tensor1D, buckets: tf.reshape(buckets!, [-1]) as tf.Tensor1D };
}

/** The level of each element of x, unscaled. */
function levelsOf(
  { order, buckets }: ReturnType<typeof located>,
  steps: tf.Tensor,
  base: tf.Tensor,
): tf.Tensor {
  const rises = tf.concat1d([tf.reshape(base, [1]), tf.gather(steps as tf.Tensor1D, order)]);
  return tf.gather(tf.cumsum(rises), buckets);
}

/** In TensorFlow's own operations, which XLA compiles. */
export function staircaseExpression({ inputs, backend }: Call & { backend: NativeBackend }): tf.Tensor {
  const { x, thresholds, steps, base, scale } = inputs;
  return tf.tidy(() => {
    const levels = levelsOf(located(backend, x, thresholds, scale), steps, base);
    return tf.reshape(tf.mul(levels, scale), x.shape);
  });
}

export function gradientExpression({
  inputs,
  backend,
}: GradientCall & { backend: NativeBackend }): tf.Tensor[] {
  const { x, dy, thresholds, steps, base, scale, maskThresholds, maskSteps, maskBase } = inputs;
  return tf.tidy(() => {
    const place = located(backend, x, thresholds, scale);
    const k = thresholds.size;
    const histogram = tf.unsortedSegmentSum(tf.reshape(dy, [-1]), place.buckets, k + 1);
    const above = tf.cumsum(histogram, 0, false, true) as tf.Tensor1D;
    const total = tf.reshape(tf.slice(above, [0], [1]), []);
    const sums = tf.scatterND(tf.reshape(place.order, [k, 1]), tf.slice(above, [1], [k]), [k]);
    const passed =
      maskThresholds.size === 0
        ? tf.mul(dy, maskBase)
        : tf.mul(
            dy,
            tf.reshape(levelsOf(located(backend, x, maskThresholds, scale), maskSteps, maskBase), x.shape),
          );
    const stepped = tf.add(tf.mul(base, total), tf.sum(tf.mul(sums, steps)));
    return [
      passed,
      tf.mul(sums, scale),
      tf.mul(total, scale),
      tf.sub(stepped, tf.div(tf.sum(tf.mul(passed, x)), scale)),
    ];
  });
}

/**
 * Of so many thresholds, the mask's included, the kernels for processors keep where an element lies, as a byte: to compare it
 * with fewer again is quicker, and a byte holds no more. A GPU waits for memory, and compares meanwhile.
 */
const KEPT = { least: 8, most: 255 };

const keeps = ({ thresholds, maskThresholds }: Call["inputs"], backend: NativeBackend): boolean => {
  const count = thresholds.size + maskThresholds.size;
  return !backend.isUsingGpuDevice && KEPT.least <= count && count <= KEPT.most;
};

function onNative({ inputs, backend }: Call & { backend: NativeBackend }): tf.Tensor[] {
  const { x, thresholds, steps, base, scale, maskThresholds, maskSteps } = inputs;
  const staircase = [x, thresholds, steps, base, scale];
  if (!keeps(inputs, backend)) {
    const [y] = operation({ backend, type: STAIRCASE_KERNEL, inputs: staircase, outputs: 1 });
    return [y!, tf.zeros([0])];
  }
  const [rungs, levels] = operation({
    backend,
    type: "AutoqnnRungs",
    inputs: [...staircase, maskThresholds, maskSteps],
    outputs: 2,
  }) as [tf.Tensor, tf.Tensor];
  const [y] = operation({ backend, type: "AutoqnnLevels", inputs: [rungs, levels], outputs: 1 });
  levels.dispose();
  return [y!, rungs];
}

export const staircaseKernels = [
  { kernelName: STAIRCASE_KERNEL, backendName: "cpu", kernelFunc: onHost },
  { kernelName: STAIRCASE_GRADIENT_KERNEL, backendName: "cpu", kernelFunc: gradientOnHost },
  {
    kernelName: STAIRCASE_KERNEL,
    backendName: "tensorflow",
    kernelFunc: (call: Call & { backend: NativeBackend }) =>
      call.backend.expressions ? [staircaseExpression(call), tf.zeros([0])] : onNative(call),
  },
  {
    kernelName: STAIRCASE_GRADIENT_KERNEL,
    backendName: "tensorflow",
    kernelFunc: ({
      inputs,
      backend,
    }: GradientCall & { inputs: { readonly kept: tf.Tensor }; backend: NativeBackend }) => {
      if (backend.expressions) return gradientExpression({ inputs, backend });
      const { x, dy, thresholds, steps, base, scale, maskThresholds, maskSteps, maskBase, kept } = inputs;
      return operation({
        backend,
        type: STAIRCASE_GRADIENT_KERNEL,
        inputs: [x, dy, thresholds, steps, base, scale, maskThresholds, maskSteps, maskBase, kept],
        outputs: 4,
      });
    },
  },
];
