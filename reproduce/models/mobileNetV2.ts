import { tf } from "../../sdk/index.js";
import { blocksOf, type NetworkOptions } from "./blocks.js";

/** Table 2 of the paper: expansion t, channels c, repetitions n, stride s of the first of them. */
const STAGES = [
  { t: 1, c: 16, n: 1, s: 1 },
  { t: 6, c: 24, n: 2, s: 2 },
  { t: 6, c: 32, n: 3, s: 2 },
  { t: 6, c: 64, n: 4, s: 2 },
  { t: 6, c: 96, n: 3, s: 1 },
  { t: 6, c: 160, n: 3, s: 2 },
  { t: 6, c: 320, n: 1, s: 1 },
] as const;

const STEM = 32;
const HEAD = 1280;
const CEILING = 6;

export interface MobileNetV2Options extends NetworkOptions {
  /**
   * How many of the halvings, counted from the first, are left out. Five lead from 224 to 7 pixels; for 32x32 images
   * 2 or 3 are left out.
   */
  readonly halvingsLeftOut?: number;
}

/**
 * MobileNetV2 (Sandler et al., CVPR 2018): inverted residuals with linear bottlenecks.
 *
 * With 224x224x3 images and 1000 classes: 3,504,872 trained values and 300,774,272 multiply-accumulates, 52 convolutions
 * and one dense layer.
 */
export function mobileNetV2({
  inputShape,
  classes,
  seed = 0,
  halvingsLeftOut = 0,
}: MobileNetV2Options): tf.LayersModel {
  const blocks = blocksOf(seed);
  let left = halvingsLeftOut;
  const stride = (asked: number): number => (asked === 2 && left-- > 0 ? 1 : asked);

  const input = tf.input({ shape: [...inputShape], name: "image" });
  const stem = { name: "stem", filters: STEM, kernelSize: 3, strides: stride(2) };
  let x = blocks.relu(blocks.convolve(input, stem), "stem_relu", CEILING);
  let channels = STEM;
  for (const [stage, { t, c, n, s }] of STAGES.entries()) {
    for (let block = 0; block < n; block++) {
      const name = `stage${stage + 1}_block${block + 1}`;
      const strides = block === 0 ? stride(s) : 1;
      let inner = x;
      if (t > 1) {
        const expansion = { name: `${name}_expand`, filters: t * channels, kernelSize: 1 };
        inner = blocks.relu(blocks.convolve(x, expansion), `${name}_expand_relu`, CEILING);
      }
      inner = blocks.relu(
        blocks.depthwise(inner, `${name}_depthwise`, strides),
        `${name}_depthwise_relu`,
        CEILING,
      );
      const projected = blocks.convolve(inner, { name: `${name}_project`, filters: c, kernelSize: 1 });
      x = block > 0 ? blocks.add(x, projected, `${name}_add`) : projected;
      channels = c;
    }
  }
  x = blocks.relu(blocks.convolve(x, { name: "head", filters: HEAD, kernelSize: 1 }), "head_relu", CEILING);
  return tf.model({
    inputs: input,
    outputs: blocks.classify(blocks.average(x), classes),
    name: "mobilenet-v2",
  });
}
