import * as tf from "@tensorflow/tfjs";
import { type CellFields, dropped, type Enter, gated, type Step } from "./cells.js";
import { convolve } from "./convolve.js";
import type { LayerClasses } from "./index.js";
import type { InnerEdge } from "./inner.js";
import { type RecurrentConfig, RNN } from "./recurrent.js";
import { LSTMCell } from "./recurrentCells.js";
import { channelsLast, type Layout, layoutOf, listed, type Padding, places, type Window } from "./spatial.js";

type Config = tf.serialization.ConfigDict;

interface CellConfig extends Omit<RecurrentConfig, "cell"> {
  readonly filters: number;
  readonly unitForgetBias?: boolean;
  readonly kernelSize: number | readonly number[];
  readonly strides?: number | readonly number[];
  readonly padding?: Padding;
  readonly dataFormat?: string | null;
  readonly dilationRate?: number | readonly number[];
}

/** What cells of tfjs and of ours hold at run time. */
interface ConvolutionFields extends CellFields {
  readonly filters: number;
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Padding;
  readonly dataFormat?: string | null;
  readonly dilationRate: readonly number[];
}

const windowOf = ({ kernelSize, strides, dilationRate, padding }: ConvolutionFields): Window => ({
  size: kernelSize,
  strides,
  dilations: dilationRate,
  padding,
});

/** The gates of an LSTM (`gated`), made by convolutions of input and state (Shi et al., 2015). */
export const convolutionalStep: Step = (given, [x, h, c], training, enter) => {
  const cell = given as ConvolutionFields;
  const layout = layoutOf(cell.dataFormat);
  const window = windowOf(cell);
  const same: Window = { ...window, padding: "same", strides: ones(window), dilations: ones(window) };
  const inputs = dropped(cell, "dropout", x!, 4, training);
  const states = dropped(cell, "recurrentDropout", h!, 4, training).map((state) => enter("state", state));
  const parts = (variable: tf.LayerVariable, axis: number): tf.Tensor[] => tf.split(variable.read(), 4, axis);
  const kernels = parts(cell.kernel, window.size.length + 1);
  const recurrent = parts(cell.recurrentKernel, window.size.length + 1);
  const biases = cell.bias ? parts(cell.bias, 0) : [];
  const gates = kernels.map((kernel, i) => {
    const fed = channelsLast(inputs[i] ?? inputs[0]!, layout, (value) => {
      const y = convolve(value, kernel, window);
      return biases[i] ? tf.add(y, biases[i]) : y;
    });
    const back = channelsLast(states[i] ?? states[0]!, layout, (value) =>
      convolve(value, recurrent[i]!, same),
    );
    return tf.add(fed, back);
  });
  return gated(cell, gates, c!);
};

const ones = ({ size }: Window): number[] => size.map(() => 1);

/** Shape of a state of one sample, from that of a step's input. */
function stateShape(cell: ConvolutionFields, input: readonly (number | null)[]): (number | null)[] {
  const layout = layoutOf(cell.dataFormat);
  const window = windowOf(cell);
  const spatial = layout.spatial([null, ...input]).map((n, i) => places(n, window, i));
  return layout.shape(null, spatial, cell.filters).slice(1);
}

/** The inner edge of such a cell: its state, which meets the recurrent kernel. */
export function convolutionalEdges(given: CellFields, [input]: readonly (readonly number[])[]): InnerEdge[] {
  const cell = given as ConvolutionFields;
  const shape = stateShape(cell, input!) as number[];
  const positions = shape.reduce((n, d) => n * d, 1) / cell.filters;
  const kernel = cell.recurrentKernel.shape.reduce<number>((n, d) => n * d!, 1);
  const meets = [{ factor: "recurrent_kernel", macs: positions * kernel }];
  return [{ name: "state", shape, option: "recurrentState", meets }];
}

class ConvLSTMCell extends LSTMCell {
  static override readonly className = "ConvLSTMCell";
  readonly filters: number;
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: Padding;
  readonly dilationRate: readonly number[];
  readonly layout: Layout;
  readonly dataFormat: string;
  readonly #forgetBias: boolean;

  constructor(config: CellConfig & { readonly kernelSize: readonly number[] }) {
    const { name: _, ...options } = config;
    const rank = config.kernelSize.length;
    super({ ...options, units: config.filters });
    this.filters = config.filters;
    this.kernelSize = config.kernelSize;
    this.strides = listed(config.strides, rank);
    this.dilationRate = listed(config.dilationRate, rank);
    this.padding = config.padding ?? "valid";
    this.dataFormat = config.dataFormat ?? "channelsLast";
    this.layout = layoutOf(config.dataFormat);
    this.#forgetBias = config.unitForgetBias ?? true;
  }

  override build(inputShape: tf.Shape): void {
    const channels = this.layout.channels(inputShape);
    this.buildKernels(
      [...this.kernelSize, channels, 4 * this.filters],
      [...this.kernelSize, this.filters, 4 * this.filters],
      [4 * this.filters],
    );
    const { bias, filters } = this;
    if (!bias || !this.#forgetBias) return;
    tf.tidy(() => {
      const [input, _, ...others] = tf.split(bias.read(), 4);
      bias.write(tf.concat([input!, tf.ones([filters]), ...others]));
    });
  }

  override innerEdges(inputs: readonly (readonly number[])[] = []): readonly InnerEdge[] {
    return convolutionalEdges(this as unknown as ConvolutionFields, inputs);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Config): tf.Tensor[] {
    const enter: Enter = (name, x) => this.enter(name, x);
    const fields = this as unknown as ConvolutionFields;
    return tf.tidy(() => convolutionalStep(fields, inputs as tf.Tensor[], Boolean(kwargs.training), enter));
  }

  stateShape(input: readonly (number | null)[]): (number | null)[] {
    return stateShape(this as unknown as ConvolutionFields, input);
  }

  override getConfig(): Config {
    const { units: _, ...others } = super.getConfig();
    const { filters, kernelSize, strides, padding, dataFormat, dilationRate } = this;
    return {
      ...others,
      ...{ filters, padding, dataFormat },
      kernelSize: [...kernelSize],
      strides: [...strides],
      dilationRate: [...dilationRate],
    };
  }
}

/** An LSTM along [batch, time, ...spatial, channels] whose products are convolutions. */
const of = (rank: number, name: string) =>
  class extends RNN {
    static override readonly className = name;

    constructor(config: CellConfig) {
      const kernelSize = listed(config.kernelSize, rank);
      super({ ...config, cell: new ConvLSTMCell({ ...config, kernelSize }) });
      this.inputSpec = [new tf.InputSpec({ ndim: rank + 3 })];
    }

    override zeroStates(sequence: tf.Tensor): tf.Tensor[] {
      const shape = this.#state(sequence.shape) as number[];
      return [tf.zeros(shape), tf.zeros(shape)];
    }

    override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
      const shape = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as tf.Shape;
      const [batch, ...state] = this.#state(shape);
      const output = (this.returnSequences ? [batch, shape[1], ...state] : [batch, ...state]) as tf.Shape;
      const states = [[batch, ...state] as tf.Shape, [batch, ...state] as tf.Shape];
      return this.returnState ? [output, ...states] : output;
    }

    #state([batch, _, ...step]: readonly (number | null)[]): (number | null)[] {
      return [batch ?? null, ...(this.cell as unknown as ConvLSTMCell).stateShape(step)];
    }

    static fromConfig<T extends tf.serialization.Serializable>(
      kind: tf.serialization.SerializableConstructor<T>,
      config: Config,
    ): T {
      return new kind(config);
    }
  };

export const CONVOLUTIONAL_RECURRENT = {
  ConvLSTMCell,
  ConvLSTM1D: of(1, "ConvLSTM1D"),
  ConvLSTM2D: of(2, "ConvLSTM2D"),
  ConvLSTM3D: of(3, "ConvLSTM3D"),
} as unknown as LayerClasses;
