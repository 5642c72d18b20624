import type { Adam } from "../engine/ops.js";

export type { Adam };

export const ADAM: Adam = Object.freeze({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });

/** The learning rate of update number `t` (from 1) with Adam's correction of both moments' bias. */
export function correctedRate({ beta1, beta2 }: Adam, rate: number, t: number): number {
  return (rate * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
}
