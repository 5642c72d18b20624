import type * as tf from "@tensorflow/tfjs";

/** One stage of a plan, as it was asked for: before defaults are filled in. */
export interface WrittenStage {
  readonly name: "searchSchemes" | "learnPrecision" | "fineTune";
  readonly options: Readonly<Record<string, unknown>>;
}

/** How a plan was written: what it takes to write it again, with other options. */
export interface Written {
  readonly model: tf.LayersModel | tf.GraphModel;
  readonly options: Readonly<Record<string, unknown>>;
  readonly stages: readonly WrittenStage[];
}

const texts = new WeakMap<object, Written>();

/** Remembers how `plan` was written. */
export function written<P extends object>(plan: P, text: Written): P {
  texts.set(plan, text);
  return plan;
}

/** How a plan, or a stage's result that can go on, was written; undefined for anything else. */
export function writtenAs(plan: unknown): Written | undefined {
  return typeof plan === "object" && plan !== null ? texts.get(plan) : undefined;
}
