import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import { KerasLayer, type LayerArgs } from "./layer.js";
import { channelsLast, type Layout, layoutOf, listed, type Padding, type Window } from "./spatial.js";
import { type Activation, activationOf, type WeightOptions, weightOptions } from "./weights.js";

type Sizes = number | readonly number[];

export interface ConvolutionConfig extends LayerArgs {
  readonly kernelSize: Sizes;
  readonly filters?: number;
  readonly strides?: Sizes;
  readonly padding?: Padding;
  readonly dataFormat?: string;
  readonly dilationRate?: Sizes;
  readonly groups?: number;
  readonly depthMultiplier?: number;
  readonly outputPadding?: Sizes | null;
  readonly useBias?: boolean;
}

/** What all convolutions share: a window, kernels, a bias, an activation. Class names say how many dimensions they have. */
export abstract class Convolution extends KerasLayer<ConvolutionConfig> {
  protected readonly window: Window;
  protected readonly layout: Layout;
  readonly activation: Activation;
  readonly #weights: Readonly<Record<string, WeightOptions>>;
  protected bias?: tf.LayerVariable;

  constructor(config: ConvolutionConfig, rank: number, kernels: readonly string[]) {
    super(config);
    this.supportsMasking = false;
    this.layout = layoutOf(config.dataFormat);
    this.window = {
      size: listed(config.kernelSize, rank),
      strides: listed(config.strides, rank),
      dilations: listed(config.dilationRate, rank),
      padding: config.padding ?? "valid",
    };
    this.activation = activationOf(config);
    const options = kernels.map((name) => [name, weightOptions(config, name, "glorotUniform")] as const);
    this.#weights = { ...Object.fromEntries(options), bias: weightOptions(config, "bias", "zeros") };
    const { strides, dilations } = this.window;
    if (this.refusesBoth && strides.some((s) => s > 1) && dilations.some((d) => d > 1)) {
      const hint = "Keras has no such layer: set one of the two to 1.";
      const received = `strides ${strides} and dilation_rate ${dilations}`;
      throw badModel("strides or a dilation_rate of 1", received, `layer "${this.name}"`, hint);
    }
  }

  protected get refusesBoth(): boolean {
    return true;
  }

  protected abstract convolved(x: tf.Tensor): tf.Tensor;
  protected abstract lengths(spatial: (number | null)[]): (number | null)[];
  protected abstract filters(channels: number): number;

  protected kernel(option: string, name: string, shape: number[]): tf.LayerVariable {
    return this.weight(name, shape, this.#weights[option]!);
  }

  protected addBias(filters: number): void {
    if (this.config.useBias ?? true) this.bias = this.weight("bias", [filters], this.#weights.bias!);
  }

  protected override compute(x: tf.Tensor): tf.Tensor {
    const y = channelsLast(x, this.layout, (t) => {
      const z = this.convolved(t);
      return this.bias ? tf.add(z, this.bias.read()) : z;
    });
    return this.activation.apply(y);
  }

  override computeOutputShape(inputShape: tf.Shape): tf.Shape {
    const lengths = this.lengths(this.layout.spatial(inputShape));
    return this.layout.shape(inputShape[0]!, lengths, this.filters(this.layout.channels(inputShape)));
  }

  protected override parts(): tf.serialization.ConfigDict {
    const weights = Object.values(this.#weights).map(({ config }) => config);
    return Object.assign({ activation: this.activation.getClassName() }, ...weights);
  }
}
