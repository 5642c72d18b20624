import { tf } from "../../sdk/index.js";
import { blocksOf, type NetworkOptions } from "./blocks.js";

/** Filters of each group of two 3x3 convolutions; a 2x2 maximum follows each group. */
const GROUPS = [128, 256, 512];

/**
 * VGG-Small (Zhang et al., LQ-Nets, ECCV 2018): six convolutions and one dense layer for small images.
 *
 * With 32x32x3 images and 10 classes: 4,574,592 weights of convolutions and 81,920 of the dense layer.
 */
export function vggSmall({ inputShape, classes, seed = 0 }: NetworkOptions): tf.LayersModel {
  const blocks = blocksOf(seed);
  const input = tf.input({ shape: [...inputShape], name: "image" });
  let x = input;
  for (const [group, filters] of GROUPS.entries()) {
    for (const layer of [1, 2]) {
      const name = `group${group + 1}_conv${layer}`;
      const convolved = blocks.convolve(x, { name, filters, kernelSize: 3 });
      x = blocks.relu(
        layer === 2 ? blocks.maximum(convolved, `group${group + 1}_pool`, 2, "valid") : convolved,
        `${name}_relu`,
      );
    }
  }
  return tf.model({
    inputs: input,
    outputs: blocks.classify(blocks.flatten(x), classes),
    name: "vgg-small",
  });
}
