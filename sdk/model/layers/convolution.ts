import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { Convolution, type ConvolutionConfig } from "./baseConvolution.js";
import { convolve, depthwise, placesOf, transposed, transposedLength } from "./convolve.js";
import type { LayerClasses } from "./index.js";
import { listed, type Window } from "./spatial.js";

/** Activations that one kernel computes together with a two-dimensional convolution and its bias. */
const FUSED: Readonly<Record<string, "linear" | "relu" | "elu">> = {
  linear: "linear",
  relu: "relu",
  elu: "elu",
};

/** y = activation(kernel * x + bias); with `groups`, each group of channels has filters of its own. */
abstract class Conv extends Convolution {
  #kernel!: tf.LayerVariable;

  constructor(config: ConvolutionConfig, rank: number) {
    super(config, rank, ["kernel"]);
  }

  override build(inputShape: tf.Shape): void {
    const { groups = 1 } = this.config;
    const channels = this.layout.channels(inputShape);
    const filters = this.config.filters!;
    if (channels % groups !== 0 || filters % groups !== 0) {
      const received = `${channels} channels and ${filters} filters for ${groups} groups`;
      const hint = "Choose channels and filters that the groups divide.";
      throw badModel("whole groups", received, `layer "${this.name}"`, hint);
    }
    this.#kernel = this.kernel("kernel", "kernel", [...this.window.size, channels / groups, filters]);
    this.addBias(filters);
    super.build(inputShape);
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const { strides, padding, dilations, size } = this.window;
    const simple = size.length === 2 && dilations.every((d) => d === 1) && padding !== "causal";
    const activation = FUSED[this.activation.getClassName()];
    if (!simple || !activation || this.layout.first || (this.config.groups ?? 1) > 1) return super.compute(x);
    return tf.fused.conv2d({
      x: x as tf.Tensor4D,
      filter: this.#kernel.read() as tf.Tensor4D,
      strides: [...strides] as [number, number],
      pad: padding === "same" ? "same" : "valid",
      activation,
      ...(this.bias && { bias: this.bias.read() }),
    });
  }

  protected override convolved(x: tf.Tensor): tf.Tensor {
    return convolve(x, this.#kernel.read(), this.window, this.config.groups ?? 1);
  }

  protected override lengths(spatial: (number | null)[]): (number | null)[] {
    return placesOf(spatial, this.window);
  }

  protected override filters(): number {
    return this.config.filters!;
  }
}

/** The transpose of a convolution of the same options. */
abstract class ConvTranspose extends Convolution {
  #kernel!: tf.LayerVariable;

  constructor(config: ConvolutionConfig, rank: number) {
    super(config, rank, ["kernel"]);
  }

  override build(inputShape: tf.Shape): void {
    const filters = this.config.filters!;
    const channels = this.layout.channels(inputShape);
    this.#kernel = this.kernel("kernel", "kernel", [...this.window.size, filters, channels]);
    this.addBias(filters);
    super.build(inputShape);
  }

  protected override get refusesBoth(): boolean {
    return false;
  }

  protected override convolved(x: tf.Tensor): tf.Tensor {
    const lengths = this.lengths(x.shape.slice(1, -1)) as number[];
    return transposed(x, this.#kernel.read(), this.window, lengths);
  }

  protected override lengths(spatial: (number | null)[]): (number | null)[] {
    const { outputPadding } = this.config;
    const extra = outputPadding === null || outputPadding === undefined ? null : outputPadding;
    return spatial.map((n, i) =>
      transposedLength(n, this.window, i, extra === null ? null : listed(extra, spatial.length)[i]!),
    );
  }

  protected override filters(): number {
    return this.config.filters!;
  }
}

/** Each channel by itself, `depthMultiplier` filters on it. */
abstract class DepthwiseConv extends Convolution {
  #kernel!: tf.LayerVariable;

  constructor(config: ConvolutionConfig, rank: number) {
    super(config, rank, ["depthwise"]);
  }

  override build(inputShape: tf.Shape): void {
    const channels = this.layout.channels(inputShape);
    const shape = [...this.window.size, channels, this.config.depthMultiplier ?? 1];
    this.#kernel = this.kernel("depthwise", "depthwise_kernel", shape);
    this.addBias(this.filters(channels));
    super.build(inputShape);
  }

  protected override convolved(x: tf.Tensor): tf.Tensor {
    return depthwise(x, this.#kernel.read(), this.window);
  }

  protected override lengths(spatial: (number | null)[]): (number | null)[] {
    return placesOf(spatial, this.window);
  }

  protected override filters(channels: number): number {
    return channels * (this.config.depthMultiplier ?? 1);
  }
}

/** A depthwise convolution, and one of size 1 on what it gives. */
abstract class SeparableConv extends Convolution {
  #depthwise!: tf.LayerVariable;
  #pointwise!: tf.LayerVariable;

  constructor(config: ConvolutionConfig, rank: number) {
    super(config, rank, ["depthwise", "pointwise"]);
  }

  override build(inputShape: tf.Shape): void {
    const channels = this.layout.channels(inputShape);
    const { depthMultiplier = 1, filters } = this.config;
    const { size } = this.window;
    const ones = size.map(() => 1);
    this.#depthwise = this.kernel("depthwise", "depthwise_kernel", [...size, channels, depthMultiplier]);
    const shape = [...ones, channels * depthMultiplier, filters!];
    this.#pointwise = this.kernel("pointwise", "pointwise_kernel", shape);
    this.addBias(filters!);
    super.build(inputShape);
  }

  protected override convolved(x: tf.Tensor): tf.Tensor {
    const ones = this.window.size.map(() => 1);
    const point: Window = { size: ones, strides: ones, dilations: ones, padding: "valid" };
    return convolve(depthwise(x, this.#depthwise.read(), this.window), this.#pointwise.read(), point);
  }

  protected override lengths(spatial: (number | null)[]): (number | null)[] {
    return placesOf(spatial, this.window);
  }

  protected override filters(): number {
    return this.config.filters!;
  }
}

type Kind = abstract new (config: ConvolutionConfig, rank: number) => tf.layers.Layer;

/** The class of that name: the kind for one, two or three dimensions. */
function named(kind: Kind, name: string): LayerClasses[string] {
  const rank = Number(/(\d)D/.exec(name)![1]);
  return class extends (kind as new (config: ConvolutionConfig, rank: number) => tf.layers.Layer) {
    static readonly className = name;
    constructor(config: ConvolutionConfig) {
      super(config, rank);
    }
  } as unknown as LayerClasses[string];
}

const KINDS: Readonly<Record<string, Kind>> = {
  Conv1D: Conv,
  Conv2D: Conv,
  Conv3D: Conv,
  Conv1DTranspose: ConvTranspose,
  Conv2DTranspose: ConvTranspose,
  Conv3DTranspose: ConvTranspose,
  DepthwiseConv1D: DepthwiseConv,
  DepthwiseConv2D: DepthwiseConv,
  SeparableConv1D: SeparableConv,
  SeparableConv2D: SeparableConv,
};

export const CONVOLUTIONS: LayerClasses = Object.fromEntries(
  Object.entries(KINDS).map(([name, kind]) => [name, named(kind, name)]),
);
