import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import type { LayerClasses } from "./index.js";
import { resized } from "./interpolation.js";
import type { LayerArgs } from "./layer.js";
import { type Draw, perSample, RandomLayer } from "./randomLayer.js";
import { channelsLast, layoutOf } from "./spatial.js";
import { warped } from "./warp.js";

type Factor = number | readonly number[];

interface AugmentationConfig extends LayerArgs {
  readonly dataFormat?: string;
  readonly mode?: string;
  readonly factor?: Factor;
  readonly heightFactor?: Factor;
  readonly widthFactor?: Factor | null;
  readonly height?: number;
  readonly width?: number;
  readonly valueRange?: readonly [number, number];
  readonly interpolation?: string;
  readonly fillMode?: string;
  readonly fillValue?: number;
}

/** Images changed at random while training, each by draws of its own; channels last in `changed`. */
abstract class Augmentation extends RandomLayer<AugmentationConfig> {
  protected abstract changed(x: tf.Tensor, draw: Draw): tf.Tensor;

  override random(x: tf.Tensor, draw: Draw): tf.Tensor {
    return channelsLast(tf.cast(x, "float32"), layoutOf(this.config.dataFormat), (t) =>
      this.changed(t, draw),
    );
  }

  /** A factor f means [-f, f]. */
  protected range(factor: Factor | null | undefined): readonly [number, number] {
    const [low, high] = [factor ?? 0].flat() as [number, number?];
    return high === undefined ? [-low, low] : [low, high];
  }

  protected clipped(x: tf.Tensor): tf.Tensor {
    const [low, high] = this.config.valueRange ?? [0, 255];
    return tf.clipByValue(x, low, high);
  }

  /** Values at x' = (a x + b y + c, d x + e y + f) of each image, rows of `transform` [batch, 6]. */
  protected warp(x: tf.Tensor, transform: readonly tf.Tensor[]): tf.Tensor {
    const { interpolation = "bilinear", fillMode = "reflect", fillValue = 0 } = this.config;
    return warped(x, transform, { interpolation, fillMode, fillValue, layer: this.name });
  }
}

/** Each image mirrored with probability one half, in each direction that `mode` names. */
class RandomFlip extends Augmentation {
  static readonly className = "RandomFlip";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const mode = (this.config.mode ?? "horizontalAndVertical").toLowerCase();
    const flip = (t: tf.Tensor, axis: number): tf.Tensor => {
      const chosen = tf.cast(tf.lessEqual(perSample(t, draw, 0, 1), 0.5), "float32");
      return tf.add(tf.mul(tf.reverse(t, axis), chosen), tf.mul(t, tf.sub(1, chosen)));
    };
    const across = mode.includes("horizontal") ? flip(x, 2) : x;
    return mode.includes("vertical") ? flip(across, 1) : across;
  }
}

/** Each image shifted by fractions of its height and width. */
class RandomTranslation extends Augmentation {
  static readonly className = "RandomTranslation";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const [, height, width] = x.shape as [number, number, number, number];
    const [down, right] = [this.config.heightFactor, this.config.widthFactor].map((factor) =>
      perSample(x, draw, ...this.range(factor)),
    ) as [tf.Tensor, tf.Tensor];
    const [one, none] = [tf.onesLike(down), tf.zerosLike(down)];
    return this.warp(x, [one, none, tf.mul(right, -width), none, one, tf.mul(down, -height)]);
  }
}

/** Each image scaled about its centre: by 1 + factor of what is seen, so that a negative factor brings closer. */
class RandomZoom extends Augmentation {
  static readonly className = "RandomZoom";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const [, height, width] = x.shape as [number, number, number, number];
    const zoom = (factor: Factor | null | undefined): tf.Tensor =>
      tf.add(perSample(x, draw, ...this.range(factor)), 1);
    const vertical = zoom(this.config.heightFactor);
    const { widthFactor } = this.config;
    const horizontal = widthFactor === null || widthFactor === undefined ? vertical : zoom(widthFactor);
    const offset = (scale: tf.Tensor, n: number): tf.Tensor => tf.mul(tf.sub(1, scale), (n - 1) / 2);
    const none = tf.zerosLike(vertical);
    return this.warp(x, [
      horizontal,
      none,
      offset(horizontal, width),
      none,
      vertical,
      offset(vertical, height),
    ]);
  }
}

/** Each image turned about its centre, by a fraction of a full turn. */
class RandomRotation extends Augmentation {
  static readonly className = "RandomRotation";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const [, height, width] = x.shape as [number, number, number, number];
    const angle = tf.mul(perSample(x, draw, ...this.range(this.config.factor)), 2 * Math.PI);
    const [cos, sin] = [tf.cos(angle), tf.sin(angle)];
    const [cx, cy] = [(width - 1) / 2, (height - 1) / 2];
    const right = tf.sub(cx, tf.sub(tf.mul(cos, cx), tf.mul(sin, cy)));
    const down = tf.sub(cy, tf.add(tf.mul(sin, cx), tf.mul(cos, cy)));
    return this.warp(x, [cos, tf.neg(sin), right, sin, cos, down]);
  }
}

/** The same part of every image of a batch in training; at inference the middle, stretched to the size. */
class RandomCrop extends Augmentation {
  static readonly className = "RandomCrop";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const [batch, rows, columns, channels] = x.shape as [number, number, number, number];
    const { height, width } = this.config as { height: number; width: number };
    if (rows < height || columns < width) return this.#stretched(x);
    const start = (room: number): tf.Tensor => tf.floor(tf.mul(tf.reshape(draw([1]), [1]), room + 1));
    const chosen = (t: tf.Tensor, axis: number, first: tf.Tensor, count: number): tf.Tensor =>
      tf.gather(t, tf.cast(tf.add(tf.range(0, count, 1, "float32"), first), "int32"), axis);
    const tall = chosen(x, 1, start(rows - height), height);
    return tf.reshape(chosen(tall, 2, start(columns - width), width), [batch, height, width, channels]);
  }

  #stretched(x: tf.Tensor): tf.Tensor {
    const { height, width } = this.config as { height: number; width: number };
    const [batch, rows, columns, channels] = x.shape as [number, number, number, number];
    const tall = Math.max(Math.min(rows, Math.trunc((columns * height) / width)), 1);
    const wide = Math.max(Math.min(columns, Math.trunc((rows * width) / height)), 1);
    const begin = [0, Math.floor((rows - tall) / 2), Math.floor((columns - wide) / 2), 0];
    return resized(tf.slice(x, begin, [batch, tall, wide, channels]), [height, width], "bilinear");
  }

  protected override inference(x: tf.Tensor): tf.Tensor {
    const layout = layoutOf(this.config.dataFormat);
    return channelsLast(tf.cast(x, "float32"), layout, (t) => this.#stretched(t));
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    const { height, width, dataFormat } = this.config;
    const layout = layoutOf(dataFormat);
    return layout.shape(inputShape[0]!, [height!, width!], layout.channels(inputShape));
  }
}

/** The same number added to all values of an image. */
class RandomBrightness extends Augmentation {
  static readonly className = "RandomBrightness";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const [low, high] = this.config.valueRange ?? [0, 255];
    const delta = perSample(x, draw, ...this.range(this.config.factor));
    return this.clipped(tf.add(x, tf.mul(delta, high - low)));
  }
}

/** Distances from each channel's mean, multiplied by a factor around 1. */
class RandomContrast extends Augmentation {
  static readonly className = "RandomContrast";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const [low, high] = this.range(this.config.factor);
    const [least, most] = low < 0 ? [1 + low, 1 + high] : [1 - low, 1 + high];
    const mean = tf.mean(x, [1, 2], true);
    return this.clipped(tf.add(tf.mul(tf.sub(x, mean), perSample(x, draw, least, most)), mean));
  }
}

/** Images without their colours, with probability `factor`. */
class RandomGrayscale extends Augmentation {
  static readonly className = "RandomGrayscale";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const chosen = tf.cast(tf.less(perSample(x, draw, 0, 1), Number(this.config.factor ?? 0.5)), "float32");
    const gray = tf.sum(tf.mul(x, tf.tensor1d([0.2989, 0.587, 0.114])), -1, true);
    return tf.add(tf.mul(gray, chosen), tf.mul(x, tf.sub(1, chosen)));
  }
}

/** Images with all values mirrored in their range, with probability `factor`. */
class RandomInvert extends Augmentation {
  static readonly className = "RandomInvert";

  protected override changed(x: tf.Tensor, draw: Draw): tf.Tensor {
    const [, high] = this.config.valueRange ?? [0, 255];
    const chosen = tf.cast(tf.less(perSample(x, draw, 0, 1), Number(this.config.factor ?? 1)), "float32");
    return tf.add(tf.mul(tf.sub(high, x), chosen), tf.mul(x, tf.sub(1, chosen)));
  }
}

/** Augmentations that are the identity at inference, and that training here lacks. */
const INFERENCE_ONLY = [
  "AugMix",
  "CutMix",
  "MixUp",
  "RandAugment",
  "RandomColorDegeneration",
  "RandomColorJitter",
  "RandomElasticTransform",
  "RandomErasing",
  "RandomGaussianBlur",
  "RandomHeight",
  "RandomHue",
  "RandomPerspective",
  "RandomPosterization",
  "RandomSaturation",
  "RandomSharpness",
  "RandomShear",
  "RandomWidth",
  "Equalization",
];

function inferenceOnly(name: string): LayerClasses[string] {
  return class extends Augmentation {
    static readonly className = name;

    protected override changed(): tf.Tensor {
      const hint = "Augment images before the model, or export it without the layer.";
      throw badModel("an augmentation that training has", name, `layer "${this.name}"`, hint);
    }
  } as unknown as LayerClasses[string];
}

export const AUGMENTATIONS = {
  RandomFlip,
  RandomTranslation,
  RandomZoom,
  RandomRotation,
  RandomCrop,
  RandomBrightness,
  RandomContrast,
  RandomGrayscale,
  RandomInvert,
  ...Object.fromEntries(INFERENCE_ONLY.map((name) => [name, inferenceOnly(name)])),
} as unknown as LayerClasses;
