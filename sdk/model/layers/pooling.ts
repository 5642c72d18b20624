import * as tf from "@tensorflow/tfjs";
import type { LayerClasses } from "./index.js";
import { closed, KerasLayer, type Kwargs, type LayerArgs, toList, withoutGradient } from "./layer.js";
import { arriving } from "./masks.js";
import { channelsLast, type Layout, layoutOf, listed, type Padding, places, type Window } from "./spatial.js";

type Sizes = number | readonly number[];
type Reduce = (x: tf.Tensor, axes: number[], keep: boolean) => tf.Tensor;

interface PoolingConfig extends LayerArgs {
  readonly poolSize?: Sizes;
  readonly strides?: Sizes | null;
  readonly padding?: Padding;
  readonly dataFormat?: string;
}

/** The maximum or the mean of each window; margins count for neither. */
abstract class Pooling extends KerasLayer<PoolingConfig> {
  readonly #window: Window;
  readonly #layout: Layout;

  constructor(
    config: PoolingConfig,
    rank: number,
    readonly kind: "max" | "average",
  ) {
    super(config);
    this.supportsMasking = false;
    const size = listed(config.poolSize, rank, 2);
    const strides = config.strides === null || config.strides === undefined ? size : config.strides;
    this.#layout = layoutOf(config.dataFormat);
    this.#window = {
      size,
      strides: listed(strides, rank),
      dilations: size.map(() => 1),
      padding: config.padding ?? "valid",
    };
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    return channelsLast(x, this.#layout, (t) => {
      const { size, strides, padding } = this.#window;
      const pad = padding === "same" ? "same" : "valid";
      if (size.length === 3) {
        const [window, steps] = [size, strides] as [number, number, number][];
        const run = this.kind === "max" ? tf.maxPool3d : tf.avgPool3d;
        return run(t as tf.Tensor5D, window!, steps!, pad);
      }
      const flat = size.length === 1;
      const [window, steps] = (
        flat
          ? [
              [1, size[0]!],
              [1, strides[0]!],
            ]
          : [size, strides]
      ) as [number, number][];
      const run = this.kind === "max" ? tf.maxPool : tf.avgPool;
      const y = run((flat ? tf.expandDims(t, 1) : t) as tf.Tensor4D, window!, steps!, pad);
      return flat ? tf.squeeze(y, [1]) : y;
    });
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    const lengths = this.#layout.spatial(inputShape).map((n, i) => places(n, this.#window, i));
    return this.#layout.shape(inputShape[0]!, lengths, this.#layout.channels(inputShape));
  }
}

interface GlobalConfig extends LayerArgs {
  readonly dataFormat?: string;
  readonly keepdims?: boolean;
  readonly inputs?: readonly string[];
}

/** The maximum or the mean over all spatial dimensions. A mean over time leaves out the steps that a mask covers. */
abstract class GlobalPooling extends KerasLayer<GlobalConfig> {
  readonly #layout: Layout;

  constructor(
    config: GlobalConfig,
    readonly rank: number,
    readonly kind: "max" | "average",
  ) {
    super(config);
    this.supportsMasking = false;
    this.#layout = layoutOf(config.dataFormat);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Kwargs = {}): tf.Tensor {
    const [x, mask] = toList(inputs) as [tf.Tensor, tf.Tensor?];
    const masked =
      this.rank === 1 && this.kind === "average"
        ? (mask ?? arriving(this, kwargs as tf.serialization.ConfigDict))
        : undefined;
    return tf.tidy(() => this.#pooled(x, masked));
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    return this.#pooled(x, undefined);
  }

  #pooled(x: tf.Tensor, mask: tf.Tensor | undefined): tf.Tensor {
    const axes = Array.from({ length: this.rank }, (_, i) => i + (this.#layout.first ? 2 : 1));
    const keep = this.config.keepdims ?? false;
    if (mask) {
      const weights = withoutGradient(() =>
        tf.expandDims(tf.cast(mask, "float32"), this.#layout.first ? 1 : 2),
      );
      return tf.div(tf.sum(tf.mul(x, weights), axes, keep), tf.sum(weights, axes, keep));
    }
    const reduce: Reduce = this.kind === "max" ? tf.max : tf.mean;
    return reduce(x, axes, keep);
  }

  override computeOutputShape(given: tf.Shape | tf.Shape[]): tf.Shape {
    const inputShape = (Array.isArray(given[0]) ? given[0] : given) as tf.Shape;
    const channels = this.#layout.channels(inputShape);
    if (!this.config.keepdims) return [inputShape[0]!, channels];
    return this.#layout.shape(inputShape[0]!, Array(this.rank).fill(1), channels);
  }
}

interface AdaptiveConfig extends LayerArgs {
  readonly outputSize: Sizes;
  readonly dataFormat?: string;
}

/** As many windows as wanted, that meet or overlap: window i of o on n positions is [floor(i n / o), ceil((i + 1) n / o)). */
abstract class AdaptivePooling extends KerasLayer<AdaptiveConfig> {
  readonly #layout: Layout;
  readonly #sizes: number[];

  constructor(
    config: AdaptiveConfig,
    rank: number,
    readonly kind: "max" | "average",
  ) {
    super(config);
    this.supportsMasking = false;
    this.#layout = layoutOf(config.dataFormat);
    this.#sizes = listed(config.outputSize, rank);
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const reduce: Reduce = this.kind === "max" ? tf.max : tf.mean;
    return channelsLast(x, this.#layout, (t) =>
      this.#sizes.reduce((y, count, i) => {
        const axis = i + 1;
        const n = y.shape[axis]!;
        const windows = Array.from({ length: count }, (_, k) => {
          const first = Math.floor((k * n) / count);
          const size = [...y.shape];
          size[axis] = Math.ceil(((k + 1) * n) / count) - first;
          const begin = size.map((_, d) => (d === axis ? first : 0));
          return reduce(tf.slice(y, begin, size), [axis], true);
        });
        return windows.length === 1 ? windows[0]! : tf.concat(windows, axis);
      }, t),
    );
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    return this.#layout.shape(inputShape[0]!, this.#sizes, this.#layout.channels(closed(inputShape)));
  }
}

const FAMILIES = { "": Pooling, Global: GlobalPooling, Adaptive: AdaptivePooling };
const KINDS = { Max: "max", Average: "average" } as const;

/** The classes of all families, kinds and numbers of dimensions. */
function classes(): LayerClasses {
  const entries = Object.entries(FAMILIES).flatMap(([family, kind]) =>
    Object.entries(KINDS).flatMap(([word, operation]) =>
      [1, 2, 3].map((rank) => {
        const name = `${family}${word}Pooling${rank}D`;
        const Base = kind as unknown as new (config: object, rank: number, kind: string) => tf.layers.Layer;
        const made = class extends Base {
          static readonly className = name;
          static readonly tensorArguments =
            name === "GlobalAveragePooling1D" ? ["inputs", "mask"] : ["inputs"];
          constructor(config: object) {
            super(config, rank, operation);
          }
        };
        return [name, made as unknown as LayerClasses[string]] as const;
      }),
    ),
  );
  return Object.fromEntries(entries);
}

export const POOLINGS: LayerClasses = classes();
