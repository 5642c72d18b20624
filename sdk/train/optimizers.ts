import * as tf from "@tensorflow/tfjs";
import { adam } from "../engine/ops.js";

/** Adam (Kingma and Ba, 2015); with decay of weights apart from the gradient, AdamW (Loshchilov and Hutter, 2019). */
export interface Adam {
  readonly name: "adam";
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** lambda: x loses rate · lambda · x at every update. Of tensors of rank 2 and more alone. */
  readonly weightDecay: number;
}

/** Gradient descent with momentum. */
export interface Sgd {
  readonly name: "sgd";
  readonly momentum: number;
  /** The gradient is that of the point to which momentum leads. */
  readonly nesterov: boolean;
  /** lambda: lambda x is added to the gradient. Of tensors of rank 2 and more alone. */
  readonly weightDecay: number;
}

export type Optimizer = Adam | Sgd;

/** What moves what a policy trains besides the weights. */
export const ADAM: Adam = Object.freeze({
  name: "adam",
  ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0 },
});

export const SGD: Sgd = Object.freeze({ name: "sgd", momentum: 0.9, nesterov: false, weightDecay: 0 });

/** What an update reads: a tensor, its gradient, the optimizer's slots of its shape, and the rates of this step. */
export interface Update {
  readonly x: tf.Tensor;
  readonly gradient: tf.Tensor;
  readonly slots: Readonly<Record<string, tf.Tensor>>;
  /** The learning rate, and that rate with whatever the optimizer corrects at this step: scalars. */
  readonly rate: tf.Tensor;
  readonly corrected: tf.Tensor;
}

interface Row<O extends Optimizer> {
  /** The tensors that it keeps beside each trained one; they start at zero. */
  readonly slots: readonly string[];
  corrected(optimizer: O, rate: number, t: number): number;
  update(optimizer: O, update: Update): { x: tf.Tensor; slots: Record<string, tf.Tensor> };
}

const ADAM_ROW: Row<Adam> = {
  slots: ["m", "v"],
  corrected: ({ beta1, beta2 }, rate, t) => (rate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t),
  update: ({ name: _, weightDecay, ...factors }, { x, gradient, slots, rate, corrected }) => {
    const next = adam(factors, corrected, { x, gradient, m: slots.m!, v: slots.v! });
    const decayed = decays(weightDecay, x) ? tf.sub(next.x, tf.mul(x, tf.mul(rate, weightDecay))) : next.x;
    return { x: decayed, slots: { m: next.m, v: next.v } };
  },
};

const SGD_ROW: Row<Sgd> = {
  slots: ["m"],
  corrected: (_, rate) => rate,
  update: ({ momentum, nesterov, weightDecay }, { x, gradient, slots, rate }) => {
    const g = decays(weightDecay, x) ? tf.add(gradient, tf.mul(x, weightDecay)) : gradient;
    const m = tf.add(tf.mul(slots.m!, momentum), g);
    const direction = nesterov ? tf.add(g, tf.mul(m, momentum)) : m;
    return { x: tf.sub(x, tf.mul(direction, rate)), slots: { m } };
  },
};

/** Biases, the factors of normalizations and other vectors are not drawn to zero. */
const decays = (weightDecay: number, x: tf.Tensor): boolean => weightDecay > 0 && x.rank >= 2;

/** The row of an optimizer. */
export function rowOf(optimizer: Optimizer): Row<Optimizer> {
  return (optimizer.name === "adam" ? ADAM_ROW : SGD_ROW) as Row<Optimizer>;
}
