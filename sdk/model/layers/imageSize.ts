import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import type { LayerClasses } from "./index.js";
import { type Interpolation, resized } from "./interpolation.js";
import { KerasLayer, type LayerArgs } from "./layer.js";
import { interpolationOf } from "./reshaping.js";
import { channelsLast, type Layout, layoutOf, padded } from "./spatial.js";

type Size = readonly [height: number, width: number];

interface SizeConfig extends LayerArgs {
  readonly height: number;
  readonly width: number;
  readonly dataFormat?: string;
}

/** A layer that makes every image the same size. */
abstract class ImageSize<Config extends SizeConfig = SizeConfig> extends KerasLayer<Config> {
  /** Keras 3 writes down that layers for images were called for training while the model was made. */
  static readonly callOptions = ["training"];
  readonly #layout: Layout = layoutOf(this.config.dataFormat);
  protected readonly size: Size = [this.config.height, this.config.width];

  protected abstract sized(x: tf.Tensor): tf.Tensor;

  protected override compute(x: tf.Tensor): tf.Tensor {
    return channelsLast(tf.cast(x, "float32"), this.#layout, (t) => this.sized(t));
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return this.#layout.shape(inputShape[0]!, this.size, this.#layout.channels(inputShape));
  }
}

/** The sides of a window of the aspect of `size` as tall as the image is for its width, and as wide for its height. */
function aspect(x: tf.Tensor, [height, width]: Size): Size {
  const [, rows, columns] = x.shape as [number, number, number];
  return [
    Math.trunc(Math.fround((columns * height) / width)),
    Math.trunc(Math.fround((rows * width) / height)),
  ];
}

/** The middle of an image, `size` of it. */
function middle(x: tf.Tensor, [height, width]: Size): tf.Tensor {
  const [batch, rows, columns, channels] = x.shape as [number, number, number, number];
  const begin = [0, Math.floor((rows - height) / 2), Math.floor((columns - width) / 2), 0];
  return tf.slice(x, begin, [batch, height, width, channels]);
}

/** The largest part in the middle that has the aspect of `size`. */
function croppedToAspect(x: tf.Tensor, size: Size): tf.Tensor {
  const [, rows, columns] = x.shape as [number, number, number];
  const [height, width] = aspect(x, size);
  return middle(x, [Math.max(Math.min(rows, height), 1), Math.max(Math.min(columns, width), 1)]);
}

function paddedToAspect(x: tf.Tensor, size: Size, value: number): tf.Tensor {
  const [, rows, columns] = x.shape as [number, number, number];
  const [height, width] = aspect(x, size);
  const [above, left] = [Math.max(rows, height) - rows, Math.max(columns, width) - columns].map((n) =>
    Math.floor(n / 2),
  ) as [number, number];
  return padded(
    x,
    [
      [above, above],
      [left, left],
    ],
    value,
  );
}

interface ResizingConfig extends SizeConfig {
  readonly interpolation?: string;
  readonly cropToAspectRatio?: boolean;
  readonly padToAspectRatio?: boolean;
  readonly fillMode?: string;
  readonly fillValue?: number;
  readonly antialias?: boolean;
  /** Give whole numbers for whole numbers. */
  readonly wholeNumbers?: boolean;
}

/** Images interpolated to a height and width, as tf.image.resize does. */
class Resizing extends ImageSize<ResizingConfig> {
  static readonly className = "Resizing";
  readonly #method: Interpolation;

  constructor(config: ResizingConfig) {
    super(config);
    this.#method = interpolationOf(config.interpolation ?? "bilinear", this.name);
    const { padToAspectRatio, fillMode = "constant" } = config;
    if (padToAspectRatio && fillMode !== "constant") {
      throw badModel('fill_mode "constant"', `"${fillMode}"`, `layer "${this.name}"`, "Keras has no other.");
    }
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const y = super.compute(x);
    return this.config.wholeNumbers && x.dtype === "int32" ? tf.round(y) : y;
  }

  protected override sized(x: tf.Tensor): tf.Tensor {
    const { cropToAspectRatio, padToAspectRatio, fillValue = 0, antialias = false } = this.config;
    const source = cropToAspectRatio
      ? croppedToAspect(x, this.size)
      : padToAspectRatio
        ? paddedToAspect(x, this.size, fillValue)
        : x;
    return resized(source, this.size, this.#method, antialias);
  }
}

/** The middle of each image; smaller images are cropped to the aspect and stretched. */
class CenterCrop extends ImageSize {
  static readonly className = "CenterCrop";

  protected override sized(x: tf.Tensor): tf.Tensor {
    const [, rows, columns] = x.shape as [number, number, number];
    const fits = rows >= this.size[0] && columns >= this.size[1];
    return fits ? middle(x, this.size) : resized(croppedToAspect(x, this.size), this.size, "bilinear");
  }
}

export const IMAGE_SIZES: LayerClasses = { Resizing, CenterCrop };
