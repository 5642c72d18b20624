import { tf } from "../../sdk/index.js";
import { blocksOf, type NetworkOptions } from "./blocks.js";

/** Filters, kernel size, strides, zeros around, and whether a 3x3 maximum with stride 2 follows. */
const CONVOLUTIONS = [
  { filters: 64, kernelSize: 11, strides: 4, padding: 2, pooled: true },
  { filters: 192, kernelSize: 5, padding: 2, pooled: true },
  { filters: 384, kernelSize: 3, padding: 1, pooled: false },
  { filters: 256, kernelSize: 3, padding: 1, pooled: false },
  { filters: 256, kernelSize: 3, padding: 1, pooled: true },
] as const;

const UNITS = 4096;

/**
 * AlexNet in one tower (Krizhevsky, arXiv 1404.5997), with a batch normalization in place of every bias but the last, and
 * without dropout, as the networks that are quantized to few bits have it. For images of 63 pixels and more.
 *
 * With 224x224x3 images and 1000 classes: 714,188,480 multiply-accumulates, and 61,100,840 - 9,344 + 2 · 9,344 trained
 * values, where torchvision's has 9,344 biases.
 */
export function alexnet({ inputShape, classes, seed = 0 }: NetworkOptions): tf.LayersModel {
  const blocks = blocksOf(seed);
  const input = tf.input({ shape: [...inputShape], name: "image" });
  let x = input;
  for (const [i, { pooled, ...convolution }] of CONVOLUTIONS.entries()) {
    const name = `conv${i + 1}`;
    x = blocks.relu(blocks.convolve(x, { name, ...convolution }), `${name}_relu`);
    if (pooled) x = blocks.maximum(x, `${name}_pool`, 3, "valid");
  }
  x = blocks.flatten(x);
  for (const name of ["dense1", "dense2"]) x = blocks.relu(blocks.connect(x, name, UNITS), `${name}_relu`);
  return tf.model({ inputs: input, outputs: blocks.classify(x, classes), name: "alexnet" });
}
