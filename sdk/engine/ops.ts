import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../errors.js";
import { STATISTICS, type Statistic } from "../staircase/statistics.js";
import { activationGradients, activationKernels } from "./kernels/activations.js";
import { ADAM_KERNEL, adamKernels } from "./kernels/adam.js";
import { BATCH_NORM_KERNEL, batchNormGradient, batchNormKernels } from "./kernels/batch-norm.js";
import { ENHANCE_KERNEL, enhanceKernels } from "./kernels/enhance.js";
import { MIXTURE_KERNEL, mixtureGradient, mixtureKernels, type Table } from "./kernels/mixture.js";
import { MOVE_KERNEL, moveKernels } from "./kernels/move.js";
import { STAIRCASE_GRADIENT_KERNEL, STAIRCASE_KERNEL, staircaseKernels } from "./kernels/staircase.js";
import { STATISTICS_KERNEL, statisticsKernels } from "./kernels/statistics.js";
import { UNIFORM_KERNEL, uniformKernels } from "./kernels/uniform.js";

// tfjs types a kernel's inputs as any named tensors; each kernel here names its own.
const kernels = [
  statisticsKernels,
  mixtureKernels,
  staircaseKernels,
  batchNormKernels,
  activationKernels,
  adamKernels,
  enhanceKernels,
  moveKernels,
  uniformKernels,
].flat();
for (const kernel of kernels) tf.registerKernel(kernel as unknown as tf.KernelConfig);
for (const { kernelName } of activationGradients) tf.unregisterGradient(kernelName);
for (const gradient of [mixtureGradient, batchNormGradient, ...activationGradients])
  tf.registerGradient(gradient as unknown as tf.GradConfig);

/**
 * What `compute` returns, as a constant of differentiation: no gradient flows into what it was computed from.
 *
 * @example
 * const p = withoutGradient(() => tf.softmax(theta));
 */
export function withoutGradient<T extends tf.Tensor>(compute: () => T): T {
  return tf.customGrad(() => ({ value: compute(), gradFunc: () => [] }))() as T;
}

/**
 * The raw statistic vector of `x`, [STATISTICS.length], without a gradient.
 *
 * @throws AutoqnnError `bad-data` when `x` is empty
 * @param only the statistics that are needed (`needs` tells); the others may be 0.
 * @example
 * const measured = statistics(weights, needs([{ scheme: "clip", bits: 2 }], { signed: true, zero: false }));
 */
export function statistics(x: tf.Tensor, only: readonly Statistic[] = STATISTICS): tf.Tensor1D {
  if (x.size === 0) {
    throw new AutoqnnError(
      "bad-data",
      `Expected at least one value to measure, received a tensor of shape [${x.shape.join(", ")}].`,
      "Leave out what is empty, or give it values.",
    );
  }
  return withoutGradient(() => tf.engine().runKernel<tf.Tensor1D>(STATISTICS_KERNEL, { x }, { only }));
}

/**
 * The staircase sum_i p_i Q_i of a table of candidates at a raw statistic vector. Differentiable by the shares p [C] only;
 * a candidate whose `active` is 0 takes no part.
 */
export function mixedStaircase(
  table: Table,
  statistics: tf.Tensor1D,
  p: tf.Tensor1D,
  active: tf.Tensor1D,
): { thresholds: tf.Tensor1D; steps: tf.Tensor1D; base: tf.Scalar } {
  const [thresholds, steps, base] = tf
    .engine()
    .runKernel<tf.Tensor[]>(MIXTURE_KERNEL, { shares: p, statistics, active }, { table: table as never }) as [
    tf.Tensor1D,
    tf.Tensor1D,
    tf.Scalar,
  ];
  return { thresholds, steps, base };
}

/**
 * A staircase as the device has it: base + sum_k steps_k [x > thresholds_k], in any order of thresholds.
 *
 * `mask` is a staircase too, the share of the gradient that passes at x; absent, all of it passes.
 */
export interface DeviceStaircase {
  readonly thresholds: tf.Tensor1D;
  readonly steps: tf.Tensor1D;
  readonly base: tf.Scalar;
  readonly mask?: { readonly thresholds: tf.Tensor1D; readonly steps: tf.Tensor1D; readonly base: tf.Scalar };
}

/**
 * Quantized `x`: y = s (base + sum_k steps_k [x > s t_k]), s = `scale`, 1 when absent.
 *
 * Backward, with C_k the sum of dy over x > s t_k and C that over all x: dx = dy mask(x) (straight-through);
 * d steps_k = s C_k; d base = s C; d s = base C + sum_k steps_k C_k - sum(dy x mask(x)) / s. NaN lies below every
 * threshold.
 *
 * @example
 * const fit = mixture([{ scheme: "ternary", bits: 2 }], { signed: true, zero: false });
 * const y = quantize(x, fit(statistics(x), tf.tensor1d([1])));
 */
export function quantize<T extends tf.Tensor>(x: T, staircase: DeviceStaircase, scale?: tf.Tensor): T {
  const { thresholds, mask } = staircase;
  const constants = {
    thresholds,
    maskThresholds: mask?.thresholds ?? tf.tensor1d([]),
    maskSteps: mask?.steps ?? tf.tensor1d([]),
    maskBase: mask?.base ?? tf.scalar(1),
  };
  const kernel = tf.engine();
  // As one operation that knows thresholds and mask for constants: they follow from statistics.
  const quantized = tf.customGrad((x, steps, base, scale, save) => {
    const inputs = { ...constants, x, steps, base, scale } as Record<string, tf.Tensor>;
    const [value, kept] = kernel.runKernel<tf.Tensor[]>(STAIRCASE_KERNEL, inputs) as [tf.Tensor, tf.Tensor];
    const names = [...Object.keys(inputs), "kept"];
    (save as tf.GradSaveFunc)([...Object.values(inputs), kept]);
    return {
      value,
      gradFunc: (dy: tf.Tensor, values: tf.Tensor[]) => {
        const saved = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
        return kernel.runKernel<tf.Tensor[]>(STAIRCASE_GRADIENT_KERNEL, { ...saved, dy });
      },
    };
  });
  return quantized(x, staircase.steps, staircase.base, scale ?? tf.scalar(1)) as T;
}

/**
 * Batch normalization over all axes but the last, by the moments of `x` itself:
 * y = gamma (x - mean) / sqrt(variance + epsilon) + beta, variance divided by N.
 *
 * y is differentiable by x, gamma and beta; mean and variance carry no gradient.
 *
 * @example
 * const { y, mean, variance } = batchNormTraining(x, tf.ones([16]), tf.zeros([16]), 1e-3);
 */
export function batchNormTraining<T extends tf.Tensor>(
  x: T,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  epsilon: number,
): { y: T; mean: tf.Tensor1D; variance: tf.Tensor1D } {
  const image = x.rank === 4 ? x : tf.reshape(x, [-1, 1, 1, gamma.size]);
  const [y, mean, variance] = tf
    .engine()
    .runKernel<tf.Tensor[]>(BATCH_NORM_KERNEL, { x: image, gamma, beta }, { epsilon }) as [
    tf.Tensor,
    tf.Tensor1D,
    tf.Tensor1D,
  ];
  return { y: tf.reshape(y, x.shape) as T, mean, variance };
}

/** Hyperparameters of Adam (Kingma and Ba, 2015, algorithm 1) that stay fixed during a stage. */
export interface Adam {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/**
 * One Adam update: m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2, x' = x - rate m' / (sqrt(v') + epsilon).
 *
 * @param rate a scalar: the learning rate, with the correction of both moments' bias
 * @param state x, its gradient and moments, of one shape
 * @example
 * const next = adam({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }, tf.scalar(0.01), { x, gradient, m, v });
 */
export function adam(
  factors: Adam,
  rate: tf.Tensor,
  { x, gradient, m, v }: Readonly<Record<"x" | "gradient" | "m" | "v", tf.Tensor>>,
): { x: tf.Tensor; m: tf.Tensor; v: tf.Tensor } {
  const [nextX, nextM, nextV] = tf
    .engine()
    .runKernel<tf.Tensor[]>(ADAM_KERNEL, { x, gradient, m, v, rate }, { ...factors }) as [
    tf.Tensor,
    tf.Tensor,
    tf.Tensor,
  ];
  return { x: nextX, m: nextM, v: nextV };
}

/**
 * Numbers in [0, 1): a pure function of shape and seed, drawn on the device, the same on every engine. XLA draws others.
 *
 * @param seed int32 [2]
 * @example
 * const noise = uniform([3], tf.tensor1d([7, step], "int32"));
 */
export function uniform(shape: readonly number[], seed: tf.Tensor): tf.Tensor {
  return tf.engine().runKernel<tf.Tensor>(UNIFORM_KERNEL, { seed }, { shape: [...shape] });
}

/**
 * Bytes of images as numbers from 0 to 1, each image moved: for the bodies of pipelines, which run beside the device.
 *
 * @param images bytes [n, height, width, channels]
 * @param moves int32 [n, 3]: 1 to flip about the vertical axis or 0; rows down; columns right. What a shift uncovers is 0.
 * @returns float32 of the shape of `images`
 * @example
 * const body = ({ image, moves, y }) => ({ x: moved(image, moves), y });
 */
export function moved(images: tf.Tensor, moves: tf.Tensor): tf.Tensor {
  return tf.engine().runKernel<tf.Tensor>(MOVE_KERNEL, { images, moves });
}

/**
 * Bytes of images, each through its own list of operations, as Pillow computes them: for the bodies of pipelines, before `moved`.
 *
 * @param images bytes [n, height, width, 1 or 3]
 * @param operations int32 [n, k, 2]: numbers of ENHANCEMENTS, and their values in parts of 2^16
 * @returns bytes of the shape of `images`
 * @example
 * const body = ({ image, moves, operations }) => ({ x: moved(enhanced(image, operations), moves) });
 */
export function enhanced(images: tf.Tensor, operations: tf.Tensor): tf.Tensor {
  return tf.engine().runKernel<tf.Tensor>(ENHANCE_KERNEL, { images, operations });
}
