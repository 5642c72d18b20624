import { tf } from "../../sdk/index.js";
import { blocksOf, type NetworkOptions } from "./blocks.js";

/** A residual network (He et al., 2015). */
export interface ResNetOptions extends NetworkOptions {
  /** Channels of each group of blocks; the size halves from group to group. */
  readonly channels?: readonly number[];
  readonly blocksPerGroup: number;
  /** Kernel size of the first convolution. */
  readonly stemSize?: number;
  /** Stride of the first convolution; 2 quarters the work on images that can spare the resolution. */
  readonly stemStride?: 1 | 2;
  /** A 3x3 maximum with stride 2 after the first convolution, as for large images. */
  readonly stemPool?: boolean;
}

/**
 * ResNet8: one block per group. With 28x28x1 images, a stem of stride 2 and 10 classes it has 77,072 weights in 9
 * convolutions and one dense layer.
 */
export const resnet8 = (options: Omit<ResNetOptions, "blocksPerGroup">): tf.LayersModel =>
  resnet({ stemStride: 2, ...options, blocksPerGroup: 1 });

/** A narrow ResNet14: two blocks per group of 8, 16 and 32 channels, a stem of stride 2; 12 layers between its ends. */
export const resnet14 = (options: Omit<ResNetOptions, "blocksPerGroup">): tf.LayersModel =>
  resnet({ stemStride: 2, channels: [8, 16, 32], ...options, blocksPerGroup: 2 });

/** ResNet20: three blocks per group, 19 convolutions and one dense layer, projections apart. */
export const resnet20 = (options: Omit<ResNetOptions, "blocksPerGroup">): tf.LayersModel =>
  resnet({ ...options, blocksPerGroup: 3 });

/** ResNet56: nine blocks per group, 55 convolutions and one dense layer, projections apart. */
export const resnet56 = (options: Omit<ResNetOptions, "blocksPerGroup">): tf.LayersModel =>
  resnet({ ...options, blocksPerGroup: 9 });

/** ResNet18 for large images: four groups of two blocks, 17 convolutions and one dense layer, projections apart. */
export const resnet18 = (options: Omit<ResNetOptions, "blocksPerGroup" | "channels">): tf.LayersModel =>
  resnet({
    ...{ stemSize: 7, stemStride: 2, stemPool: true },
    ...options,
    channels: [64, 128, 256, 512],
    blocksPerGroup: 2,
  });

/** The network of `options`. Shortcuts that change shape are 1x1 convolutions. */
export function resnet({
  inputShape,
  classes,
  channels = [16, 32, 64],
  blocksPerGroup,
  stemSize = 3,
  stemStride = 1,
  stemPool = false,
  seed = 0,
}: ResNetOptions): tf.LayersModel {
  const blocks = blocksOf(seed);
  const convolve = (
    x: tf.SymbolicTensor,
    name: string,
    filters: number,
    kernelSize: number,
    strides: number,
  ) => blocks.convolve(x, { name, filters, kernelSize, strides });

  const input = tf.input({ shape: [...inputShape], name: "image" });
  let x = blocks.relu(convolve(input, "stem", channels[0]!, stemSize, stemStride), "stem_relu");
  if (stemPool) x = blocks.maximum(x, "stem_pool", 3, "same");
  for (const [group, filters] of channels.entries()) {
    for (let block = 0; block < blocksPerGroup; block++) {
      const name = `group${group + 1}_block${block + 1}`;
      const strides = group > 0 && block === 0 ? 2 : 1;
      const inner = blocks.relu(convolve(x, `${name}_conv1`, filters, 3, strides), `${name}_relu1`);
      const outer = convolve(inner, `${name}_conv2`, filters, 3, 1);
      const shortcut =
        strides > 1 || x.shape.at(-1) !== filters ? convolve(x, `${name}_shortcut`, filters, 1, strides) : x;
      x = blocks.relu(blocks.add(outer, shortcut, `${name}_add`), `${name}_relu2`);
    }
  }
  return tf.model({
    inputs: input,
    outputs: blocks.classify(blocks.average(x), classes),
    name: `resnet${2 + 2 * channels.length * blocksPerGroup}`,
  });
}
