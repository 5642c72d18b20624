import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import type { LayerClasses } from "./index.js";
import { INTERPOLATIONS, type Interpolation, resized } from "./interpolation.js";
import { KerasLayer, type LayerArgs } from "./layer.js";
import { channelsLast, type Layout, layoutOf, listed, padded } from "./spatial.js";

type Pair = readonly [number, number];
type Around = number | readonly (number | Pair)[];

interface SpatialConfig extends LayerArgs {
  readonly dataFormat?: string;
  readonly padding?: Around;
  readonly cropping?: Around;
  readonly size?: number | readonly number[];
  readonly interpolation?: string;
  /** False: sampled from the corners, as tfjs does. */
  readonly halfPixelCenters?: boolean;
}

/** A layer that changes the spatial dimensions alone. */
abstract class SpatialLayer extends KerasLayer<SpatialConfig> {
  readonly #layout: Layout;

  constructor(
    config: SpatialConfig,
    protected readonly rank: number,
  ) {
    super(config);
    this.supportsMasking = false;
    this.#layout = layoutOf(config.dataFormat);
  }

  protected abstract length(n: number, i: number): number;
  protected abstract reshaped(x: tf.Tensor): tf.Tensor;

  protected override compute(x: tf.Tensor): tf.Tensor {
    return channelsLast(x, this.#layout, (t) => this.reshaped(t));
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    const lengths = this.#layout.spatial(inputShape).map((n, i) => (n === null ? null : this.length(n, i)));
    return this.#layout.shape(inputShape[0]!, lengths, this.#layout.channels(inputShape));
  }
}

/** One number for all sides, one for each dimension, or one for each side. A single dimension's two sides come bare. */
function sides(value: Around | undefined, rank: number, fallback: number): Pair[] {
  const given = value ?? fallback;
  if (typeof given === "number") return Array(rank).fill([given, given]);
  if (rank === 1 && typeof given[0] === "number") return [[given[0], (given[1] ?? given[0]) as number]];
  return given.map((each) => (typeof each === "number" ? [each, each] : [each[0], each[1]]));
}

class ZeroPadding extends SpatialLayer {
  readonly #sides = sides(this.config.padding, this.rank, 1);

  protected override length(n: number, i: number): number {
    return n + this.#sides[i]![0] + this.#sides[i]![1];
  }

  protected override reshaped(x: tf.Tensor): tf.Tensor {
    return padded(x, this.#sides);
  }
}

class Cropping extends SpatialLayer {
  readonly #sides = sides(this.config.cropping, this.rank, this.rank === 2 ? 0 : 1);

  protected override length(n: number, i: number): number {
    return n - this.#sides[i]![0] - this.#sides[i]![1];
  }

  protected override reshaped(x: tf.Tensor): tf.Tensor {
    const lengths = x.shape.slice(1, -1).map((n, i) => this.length(n, i));
    const begin = [0, ...this.#sides.map(([before]) => before), 0];
    return tf.slice(x, begin, [x.shape[0]!, ...lengths, x.shape.at(-1)!]);
  }
}

/** Each value several times along each dimension, or, in two of them, values interpolated between. */
class UpSampling extends SpatialLayer {
  readonly #size = listed(this.config.size, this.rank, 2);
  readonly #method: Interpolation;
  readonly #centers: boolean;

  constructor(config: SpatialConfig, rank: number) {
    super(config, rank);
    this.#centers = config.halfPixelCenters ?? true;
    this.#method = interpolationOf(config.interpolation ?? "nearest", this.name);
  }

  protected override length(n: number, i: number): number {
    return n * this.#size[i]!;
  }

  protected override reshaped(x: tf.Tensor): tf.Tensor {
    if (this.#method === "nearest") return this.#size.reduce((y, n, i) => repeated(y, i + 1, n), x);
    const [height, width] = x.shape.slice(1, -1).map((n, i) => this.length(n, i)) as [number, number];
    if (!this.#centers) return tf.image.resizeBilinear(x as tf.Tensor4D, [height, width]);
    return resized(x, [height, width], this.#method);
  }

  protected override parts(): tf.serialization.ConfigDict {
    return { halfPixelCenters: this.#centers };
  }
}

/** Every position of one axis `count` times. */
function repeated(x: tf.Tensor, axis: number, count: number): tf.Tensor {
  if (count === 1) return x;
  const size = (shape: number[]): number => shape.reduce((a, b) => a * b, 1);
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const n = x.shape[axis]!;
  const apart = tf.reshape(x, [size(before) * n, 1, size(after)]);
  return tf.reshape(tf.tile(apart, [1, count, 1]), [...before, n * count, ...after]);
}

/** @throws AutoqnnError `bad-model` for a method that TensorFlow lacks */
export function interpolationOf(method: string, layer: string): Interpolation {
  if (INTERPOLATIONS.includes(method)) return method as Interpolation;
  const hint = "Choose one of these.";
  throw badModel(INTERPOLATIONS.join(", "), `interpolation "${method}"`, `layer "${layer}"`, hint);
}

type Kind = new (config: SpatialConfig, rank: number) => tf.layers.Layer;
const KINDS: Readonly<Record<string, Kind>> = { ZeroPadding, Cropping, UpSampling };

export const RESHAPINGS: LayerClasses = Object.fromEntries(
  Object.entries(KINDS).flatMap(([family, kind]) =>
    [1, 2, 3].map((rank) => {
      const name = `${family}${rank}D`;
      const made = class extends kind {
        static readonly className = name;
        constructor(config: SpatialConfig) {
          super(config, rank);
        }
      };
      return [name, made as unknown as LayerClasses[string]];
    }),
  ),
);
