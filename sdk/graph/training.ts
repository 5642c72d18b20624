import * as tf from "@tensorflow/tfjs";
import { batchNormTraining, uniform } from "../engine/ops.js";
import { AutoqnnError } from "../errors.js";
import { maskFor } from "../model/layers/masks.js";
import type { Holder } from "./holders.js";
import { fields, type Layer, toList } from "./layers.js";
import type { Patches } from "./patches.js";

type Draw = (shape: number[]) => tf.Tensor;
type Override = (layer: Layer, x: tf.Tensor, draw: Draw, mask?: tf.Tensor) => tf.Tensor;
type Kwargs = tf.serialization.ConfigDict;

interface BatchNormalization {
  readonly axis: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly gamma?: tf.LayerVariable;
  readonly beta?: tf.LayerVariable;
  readonly movingMean: tf.LayerVariable;
  readonly movingVariance: tf.LayerVariable;
}

/** What one call of a batch normalization measured of its batch. (A type, so that `tf.tidy` may return it.) */
export type BatchMoments = {
  /** Names of the variables that keep the moving averages of the two. */
  readonly variables: { mean: string; variance: string };
  /** How many values of a channel there were. */
  readonly count: number;
  /** [channels] */
  readonly mean: tf.Tensor1D;
  /** Biased: mean((x - mean)^2). [channels] */
  readonly variance: tf.Tensor1D;
};

interface Dropout {
  readonly rate: number;
  readonly noiseShape?: (number | null)[];
  getNoiseShape?(x: tf.Tensor): number[] | undefined;
}

/** Layers that say themselves how they compute in training, from numbers that are drawn for them. */
interface Random extends Layer {
  random(x: tf.Tensor, draw: Draw): tf.Tensor;
}

function isRandom(layer: Layer): layer is Random {
  return typeof (layer as Partial<Random>).random === "function";
}

/** What Keras adds to a sum that it divides by. */
const KERAS_EPSILON = 1e-7;

/** How layer classes compute in training, where their own way is slow or draws random numbers on the host. */
const OVERRIDES: Readonly<Record<string, Override>> = {
  BatchNormalization: batchNormalization,
  Dropout: dropout,
  SpatialDropout1D: dropout,
  GaussianNoise: (layer, x, draw) => {
    const { stddev } = fields<{ stddev: number }>(layer);
    return tf.add(x, tf.mul(normal(x.shape, draw), stddev));
  },
  GaussianDropout: (layer, x, draw) => {
    const { rate } = fields<Dropout>(layer);
    if (!(rate > 0 && rate < 1)) return x;
    return tf.mul(x, tf.add(1, tf.mul(normal(x.shape, draw), Math.sqrt(rate / (1 - rate)))));
  },
  AlphaDropout: alphaDropout,
};

/**
 * Puts the training forms of `layers` in place of their own. Every draw of random numbers has a seed of its own, mixed from
 * `seed` and the number of the draw in this pass.
 */
export function trainingCalls(
  layers: readonly Layer[],
  seed: tf.Tensor | undefined,
  instances: Patches,
): void {
  let count = 0;
  const drawFor =
    (layer: Layer): Draw =>
    (shape) => {
      if (!seed) {
        throw new AutoqnnError(
          "bad-option",
          `Expected a seed for ${layer.getClassName()} "${layer.name}" in training, received none.`,
          "Give `seed`, an int32 tensor of two numbers that differs from step to step.",
        );
      }
      // The golden ratio's bits keep (step, draw) apart from (step + 1, draw - 1).
      const shift = Math.imul(++count, 0x9e3779b9);
      return uniform(shape, tf.add(seed, tf.tensor1d([0, shift], "int32")));
    };
  for (const layer of layers) {
    const override = OVERRIDES[layer.getClassName()];
    const draw = drawFor(layer);
    if (override) {
      instances.set(layer, "call", (inputs: tf.Tensor | tf.Tensor[], kwargs: Kwargs) =>
        override(layer, toList(inputs)[0]!, draw, maskIn(layer, inputs, kwargs)),
      );
    } else if (isRandom(layer)) {
      instances.set(layer, "call", (inputs: tf.Tensor | tf.Tensor[]) =>
        layer.random(toList(inputs)[0]!, draw),
      );
    } else if ("dropoutFunc" in layer) {
      // Recurrent cells and attention draw their masks through this function.
      instances.set(layer, "dropoutFunc", (ones: tf.Tensor, rate: number) =>
        tf.mul(ones, kept(ones.shape, rate, draw)),
      );
    }
  }
}

/** Recurrent cells keep masks on themselves from call to call, also when nothing is dropped: not beyond this pass. */
export function dropMasks(layers: readonly Layer[], instances: Patches): void {
  for (const layer of layers) {
    for (const mask of ["dropoutMask", "recurrentDropoutMask"]) {
      if (mask in layer) instances.set(layer, mask, null, (last) => tf.dispose(last as tf.TensorContainer));
    }
  }
}

/**
 * Lets batch normalizations normalize by the moments of their batch and note them in `measured`, call after call, without
 * moving any average. The tensors noted are kept; the caller disposes them.
 */
export function momentCalls(
  layers: readonly Layer[],
  names: ReadonlyMap<Holder, string>,
  instances: Patches,
  measured: BatchMoments[],
): void {
  for (const layer of layers.filter((layer) => layer.getClassName() === "BatchNormalization")) {
    const { movingMean, movingVariance } = fields<BatchNormalization>(layer);
    const variables = { mean: names.get(movingMean)!, variance: names.get(movingVariance)! };
    instances.set(layer, "call", (inputs: tf.Tensor | tf.Tensor[], kwargs: Kwargs) => {
      const mask = maskIn(layer, inputs, kwargs);
      const { y, mean, variance, count } = normalized(layer, toList(inputs)[0]!, mask);
      // The tidy of a wrapper would take them away before the pass is over.
      measured.push({ variables, count, mean: tf.keep(mean), variance: tf.keep(variance) });
      return y;
    });
  }
}

/** moving = momentum * moving + (1 - momentum) * batch, with the biased variance of the batch. */
function batchNormalization(layer: Layer, x: tf.Tensor, _: Draw, mask?: tf.Tensor): tf.Tensor {
  const { movingMean, movingVariance, momentum } = fields<BatchNormalization>(layer);
  const { y, mean, variance } = normalized(layer, x, mask);
  const move = (moving: tf.LayerVariable, batch: tf.Tensor): void => {
    const before = moving.read();
    moving.write(tf.sub(before, tf.mul(tf.sub(before, batch), 1 - momentum)));
  };
  move(movingMean, mean);
  move(movingVariance, variance);
  return y;
}

/** The mask of a layer of ours that takes one: tfjs's own leave it. */
const maskIn = (layer: Layer, inputs: tf.Tensor | tf.Tensor[], kwargs: Kwargs): tf.Tensor | undefined =>
  "operands" in layer ? maskFor(layer as Parameters<typeof maskFor>[0], inputs, kwargs) : undefined;

/** x by its own moments over all axes but that of the channels. What a mask covers is normalized, but not measured. */
function normalized(
  layer: Layer,
  x: tf.Tensor,
  mask?: tf.Tensor,
): Omit<BatchMoments, "variables"> & { readonly y: tf.Tensor } {
  const own = fields<BatchNormalization>(layer);
  const axis = own.axis < 0 ? own.axis + x.rank : own.axis;
  const channels = x.shape[axis]!;
  const gamma = (own.gamma?.read() ?? tf.ones([channels])) as tf.Tensor1D;
  const beta = (own.beta?.read() ?? tf.zeros([channels])) as tf.Tensor1D;
  // Exchanging two axes is its own inverse.
  const order = x.shape.map((_, i) => (i === axis ? x.rank - 1 : i === x.rank - 1 ? axis : i));
  const swap = (t: tf.Tensor): tf.Tensor => (axis === x.rank - 1 ? t : tf.transpose(t, order));
  const { y, mean, variance } = mask
    ? maskedBatchNorm(swap(x), tf.expandDims(tf.cast(mask, "float32"), -1), gamma, beta, own.epsilon)
    : batchNormTraining(swap(x), gamma, beta, own.epsilon);
  // Masked values count too: batches are weighed by their size.
  return { y: swap(y), mean, variance, count: x.size / channels };
}

/** `seen` [batch, ..., 1] is 1 where x is measured and 0 elsewhere; channels stand last. */
function maskedBatchNorm(
  x: tf.Tensor,
  seen: tf.Tensor,
  gamma: tf.Tensor1D,
  beta: tf.Tensor1D,
  epsilon: number,
): { readonly y: tf.Tensor; readonly mean: tf.Tensor1D; readonly variance: tf.Tensor1D } {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const total = tf.add(tf.sum(tf.mul(tf.onesLike(x), seen), axes), KERAS_EPSILON);
  const average = (values: tf.Tensor) => tf.div(tf.sum(tf.mul(values, seen), axes), total) as tf.Tensor1D;
  const mean = average(x);
  const centred = tf.sub(x, mean);
  const variance = average(tf.square(centred));
  const y = tf.add(tf.mul(centred, tf.mul(gamma, tf.rsqrt(tf.add(variance, epsilon)))), beta);
  return { y, mean, variance };
}

function dropout(layer: Layer, x: tf.Tensor, draw: Draw): tf.Tensor {
  const own = fields<Dropout>(layer);
  if (!(own.rate > 0 && own.rate < 1)) return x;
  return tf.mul(x, kept(own.getNoiseShape?.(x) ?? x.shape, own.rate, draw));
}

/** 0 with probability `rate`, else 1 / (1 - rate). */
function kept(shape: number[], rate: number, draw: Draw): tf.Tensor {
  return tf.mul(tf.cast(tf.greaterEqual(draw(shape), rate), "float32"), 1 / (1 - rate));
}

/** Dropped values become the negative limit of SELU, and an affine map restores mean and variance (Klambauer et al.). */
function alphaDropout(layer: Layer, x: tf.Tensor, draw: Draw): tf.Tensor {
  const { rate, noiseShape } = fields<Dropout>(layer);
  if (!(rate > 0 && rate < 1)) return x;
  const limit = -1.6732632423543772 * 1.0507009873554805;
  const a = ((1 - rate) * (1 + rate * limit ** 2)) ** -0.5;
  const shape = noiseShape?.map((n, i) => n ?? x.shape[i]!) ?? x.shape;
  const keep = tf.cast(tf.greaterEqual(draw(shape), rate), "float32");
  const held = tf.add(tf.mul(x, keep), tf.mul(tf.sub(1, keep), limit));
  return tf.add(tf.mul(held, a), -a * limit * rate);
}

/** Standard normal numbers by the transform of Box and Muller. */
function normal(shape: number[], draw: Draw): tf.Tensor {
  const radius = tf.sqrt(tf.mul(-2, tf.log(tf.sub(1, draw(shape)))));
  return tf.mul(radius, tf.cos(tf.mul(2 * Math.PI, draw(shape))));
}
