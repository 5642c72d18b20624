import * as tf from "@tensorflow/tfjs";
import type { Arguments } from "./arguments.js";
import { type Operation, type Operations, size } from "./row.js";
import { moving } from "./shaping.js";

/** A block of block x block pixels per pixel, or back: channels last. */
function blocks(a: Arguments): { b: number; n: number; h: number; w: number; c: number } {
  const [n, h, w, c] = a.shape("x") as [number, number, number, number];
  const format = a.word("format", "channels_last");
  if (a.shape("x").length !== 4 || !["channels_last", "nhwc"].includes(format))
    a.refuse("format", "images, channels last");
  return { b: a.integer("block"), n, h, w, c };
}

const depthToSpace: Operation = moving({
  compute: (a) => {
    const { b, n, h, w, c } = blocks(a);
    const apart = tf.reshape(a.tensor("x"), [n, h, w, b, b, c / (b * b)]);
    return tf.reshape(tf.transpose(apart, [0, 1, 3, 2, 4, 5]), [n, h * b, w * b, c / (b * b)]);
  },
  shape: (a) => {
    const { b, n, h, w, c } = blocks(a);
    return [n, h * b, w * b, c / (b * b)];
  },
});

const spaceToDepth: Operation = moving({
  compute: (a) => {
    const { b, n, h, w, c } = blocks(a);
    const apart = tf.reshape(a.tensor("x"), [n, h / b, b, w / b, b, c]);
    return tf.reshape(tf.transpose(apart, [0, 1, 3, 2, 4, 5]), [n, h / b, w / b, c * b * b]);
  },
  shape: (a) => {
    const { b, n, h, w, c } = blocks(a);
    return [n, h / b, w / b, c * b * b];
  },
});

const batchToSpace: Operation = moving({
  compute: (a) =>
    tf.batchToSpaceND(
      a.tensor("x"),
      [...a.integers("block")],
      a.rows("crops").map((row) => [...row]),
    ),
  shape: (a) => {
    const [n, ...rest] = a.shape("x");
    const [block, crops] = [a.integers("block"), a.rows("crops")];
    return [
      n! / size(block),
      ...rest.map((d, i) => d * (block[i] ?? 1) - (crops[i]?.[0] ?? 0) - (crops[i]?.[1] ?? 0)),
    ];
  },
});

const spaceToBatch: Operation = moving({
  compute: (a) =>
    tf.spaceToBatchND(
      a.tensor("x"),
      [...a.integers("block")],
      a.rows("paddings").map((row) => [...row]),
    ),
  shape: (a) => {
    const [n, ...rest] = a.shape("x");
    const [block, pads] = [a.integers("block"), a.rows("paddings")];
    return [
      n! * size(block),
      ...rest.map((d, i) => (d + (pads[i]?.[0] ?? 0) + (pads[i]?.[1] ?? 0)) / (block[i] ?? 1)),
    ];
  },
});

/** Operations between the space of images and their channels, or the batch. */
export const BLOCKS: Operations = { depthToSpace, spaceToDepth, batchToSpace, spaceToBatch };
