import { ADAM, type Optimizer } from "./optimizers.js";
import type { Decay, Schedule } from "./schedule.js";

/** How the weights of a plan are trained, at every stage alike. Theta, bitwidths and learned scales keep Adam. */
export interface Recipe {
  readonly optimizer: Optimizer;
  /** How the learning rate falls in the stages that end a training: `pretrain` and `fineTune`. */
  readonly decay: Decay;
  /** The learning rate of the learned scales as a multiple of that of the weights. */
  readonly scaleRate: number;
  /** Updates between which the rate rises from zero; of the whole stage at most a quarter. */
  readonly warmup: number;
  /**
   * How many batches an update takes the mean gradient of: memory is that of one, the update that of all together. Steps and
   * schedules count updates, epochs count examples. Batch normalization and running statistics see each batch by itself.
   */
  readonly accumulate: number;
  /** The greatest length of the gradient of all weights together; longer ones are shortened to it. */
  readonly clipNorm?: number | undefined;
  /** epsilon: the target is 1 - epsilon + epsilon / classes at the label and epsilon / classes elsewhere. */
  readonly labelSmoothing: number;
  /** Decay of the running mean of the weights (Polyak) with which a stage ends. */
  readonly averageWeights?: number | undefined;
  /** Learning from the floating-point network as well. */
  readonly distillation?: Distillation | undefined;
}

/**
 * Distillation (Hinton et al., 2015): the loss is (1 - w) · cross-entropy + w T^2 · KL(softmax(teacher / T) ‖ softmax(logits / T)).
 */
export interface Distillation {
  /** w, from 0 to 1. */
  readonly weight: number;
  /** T. */
  readonly temperature: number;
}

export const PLAIN: Recipe = Object.freeze({
  optimizer: ADAM,
  decay: "cosine",
  scaleRate: 1,
  warmup: 50,
  accumulate: 1,
  labelSmoothing: 0,
});

/** The learning rate of a stage that ends a training: from `peak` down, as the recipe says. */
export const ending = ({ warmup, decay }: Recipe, peak: number): Schedule => ({
  ...{ peak, warmup, decay, floor: 0 },
});

/** The learning rate of the weights in a stage that others follow: by a cosine to half of `peak`. */
export const searching = ({ warmup }: Recipe, peak: number): Schedule => ({ peak, warmup, floor: 0.5 });
