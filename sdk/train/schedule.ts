/** How a learning rate falls: by a cosine, not at all, or by a factor at each milestone, a share of the stage. */
export type Decay =
  | "cosine"
  | "constant"
  | { readonly milestones: readonly number[]; readonly factor: number };

/**
 * A learning rate over a stage: linear warm-up from zero, then by default a cosine from `peak` to `peak * floor`.
 *
 * rate(t) = peak * t / warmup                                            for t < warmup, t = 1, 2, ...
 *         = peak * (floor + (1 - floor) (1 + cos(pi (t - warmup) / (steps - warmup))) / 2)   afterwards, by a cosine
 *         = peak * factor^#{milestones m : t > m steps}                                       afterwards, by milestones
 */
export interface Schedule {
  readonly peak: number;
  readonly warmup: number;
  /** Fraction of the peak that a cosine leaves at the last step. */
  readonly floor: number;
  readonly decay?: Decay;
}

/** The learning rate of step `t` (counted from 1) of `steps`. */
export function rate({ peak, warmup, floor, decay = "cosine" }: Schedule, t: number, steps: number): number {
  const rising = Math.min(warmup, Math.max(1, Math.floor(steps / 4)));
  if (t <= rising) return (peak * t) / rising;
  if (decay === "constant") return peak;
  if (decay !== "cosine") return peak * decay.factor ** decay.milestones.filter((m) => t > m * steps).length;
  const phase = (t - rising) / Math.max(1, steps - rising);
  return peak * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * phase))) / 2);
}

/** Exponential annealing from `start` to `end`: start (end / start)^((t - 1) / (steps - 1)), t counted from 1. */
export function anneal(start: number, end: number, t: number, steps: number): number {
  return start * (end / start) ** ((t - 1) / Math.max(1, steps - 1));
}
