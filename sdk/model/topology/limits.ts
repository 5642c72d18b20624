import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { show } from "../config.js";
import type { Blueprint } from "./blueprint.js";

/** Levels of lists and objects in a topology: a model inside another takes three. */
const MOST_LEVELS = 400;

/** Calls of layers, those in models that are called again counted again. */
const MOST_CALLS = 200_000;

/** Weights of a model whose file has none: 2 GiB of float32, half as many again as the largest Keras Application has. */
const MOST_FRESH = 2 ** 29;

/** Weights that a model may have beyond those of its file, so that the small ones that are missing are named all at once. */
const MOST_MISSING = 2 ** 24;

/** The largest rank of TensorFlow's operations. */
const MOST_AXES = 8;

/**
 * Refuses a topology that nests deeper than any model does, before anything follows it down.
 *
 * @throws AutoqnnError `bad-model`.
 */
export function checkDepth(topology: unknown, where: string): void {
  let level: readonly unknown[] = [topology];
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > MOST_LEVELS) {
      const hint = "Flatten models that are nested inside each other.";
      throw badModel(`at most ${MOST_LEVELS} levels of nesting`, "more", where, hint);
    }
    level = level.flatMap((value) =>
      typeof value === "object" && value !== null ? Object.values(value) : [],
    );
  }
}

/**
 * The shape of an input, batch first.
 *
 * @throws AutoqnnError `bad-model` for what is no list of sizes.
 */
export function batchShape(value: unknown, where: string): unknown {
  if (value === null || value === undefined) return value;
  const size = (each: unknown): boolean =>
    each === null || (Number.isSafeInteger(each) && (each as number) >= 0 && (each as number) < 2 ** 31);
  if (Array.isArray(value) && value.length > 0 && value.length <= MOST_AXES && value.every(size))
    return value;
  const expected = `1 to ${MOST_AXES} sizes, each null or a whole number below 2^31, as the shape of an input`;
  throw badModel(expected, show(value), where, "Give the input a shape, such as [null, 224, 224, 3].");
}

/**
 * Refuses models whose calls of models multiply beyond what could be computed.
 *
 * @throws AutoqnnError `bad-model` naming the model.
 */
export function checkCalls(blueprint: Blueprint, where: string): number {
  if (blueprint.kind === "layer") return blueprint.wrapped ? checkCalls(blueprint.wrapped, where) : 1;
  const counts =
    blueprint.kind === "sequential"
      ? blueprint.layers.map((layer) => checkCalls(layer, where))
      : blueprint.layers.map((layer) => checkCalls(layer.blueprint, where) * Math.max(1, layer.calls.length));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= MOST_CALLS) return total;
  const at = `model "${blueprint.name}" of ${where}`;
  throw badModel(`at most ${MOST_CALLS} calls of layers`, `${total}`, at, "Call nested models less often.");
}

type AddWeight = (
  this: tf.layers.Layer,
  name: string,
  shape: tf.Shape,
  ...rest: unknown[]
) => tf.LayerVariable;

/**
 * Runs `body`, in which layers make their weights, and refuses weights before memory is taken for them: many more in all
 * than `follow`, the numbers that a file holds for them, or more than 2^29 where it holds none.
 *
 * @throws AutoqnnError `bad-model` naming the layer.
 */
export function withWeightLimit<T>(follow: number | undefined, where: string, body: () => T): T {
  const prototype = tf.layers.Layer.prototype as unknown as { addWeight: AddWeight };
  const { addWeight } = prototype;
  const most = follow === undefined ? MOST_FRESH : follow + MOST_MISSING;
  let left = most;
  prototype.addWeight = function (name, shape, ...rest) {
    const at = `${name} of layer "${this.name}" of ${where}`;
    const valid = shape.every((size) => Number.isSafeInteger(size) && size! >= 0);
    const hint = "Correct the sizes of the layer.";
    if (!valid) throw badModel("whole numbers as the shape of a weight", show(shape), at, hint);
    const size = shape.reduce<number>((product, each) => product * each!, 1);
    if (size > left) {
      const held = follow === undefined ? "" : ` (${follow} are in the file)`;
      const expected = `at most ${most} weights in all${held}`;
      throw badModel(expected, `shape [${shape.join(", ")}] with ${left} left`, at, hint);
    }
    left -= size;
    return addWeight.call(this, name, shape, ...rest);
  };
  try {
    return body();
  } finally {
    prototype.addWeight = addWeight;
  }
}
