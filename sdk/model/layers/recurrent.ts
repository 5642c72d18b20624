import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import type { CellFields } from "./cells.js";
import type { LayerClasses } from "./index.js";
import type { LayerArgs } from "./layer.js";
import { arriving } from "./masks.js";
import {
  type Cell,
  type CellConfig,
  GRUCell,
  LSTMCell,
  SimpleRNNCell,
  StackedRNNCells,
  sizesOf,
} from "./recurrentCells.js";
import { stock } from "./stock.js";

type Config = tf.serialization.ConfigDict;
type Layer = tf.layers.Layer;
type Shape = (number | null)[];
type Inputs = tf.Tensor | tf.Tensor[] | tf.SymbolicTensor | tf.SymbolicTensor[];

export interface RecurrentConfig extends LayerArgs {
  readonly cell: Cell | Cell[];
  readonly returnSequences?: boolean;
  readonly returnState?: boolean;
  readonly goBackwards?: boolean;
  readonly stateful?: boolean;
  readonly unroll?: boolean;
  readonly zeroOutputForMask?: boolean;
  readonly timeMajor?: boolean;
  readonly inputs?: readonly string[];
}

export interface RecurrentFields {
  readonly cell: Cell;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly goBackwards: boolean;
}

/**
 * Calls a recurrent layer with the states among its inputs. (tfjs's own way takes all further inputs for states, and leaves
 * those in options that it hands on to the next layer.)
 */
export function applyWithStates(layer: Layer, ...[inputs, kwargs]: Parameters<Layer["apply"]>) {
  const { initialState, ...options } = (kwargs ?? {}) as Config;
  const list = [inputs].flat() as tf.Tensor[];
  const states = list.length === 1 ? [(initialState ?? []) as unknown as tf.Tensor[]].flat() : [];
  const all = [...list, ...states];
  return tf.layers.Layer.prototype.apply.call(layer, all.length > 1 ? all : all[0]!, options);
}

/** The inputs of a recurrent layer by what they are. The states may come as an option, from a layer around it. */
export function takenApart(
  layer: Layer & { readonly operands: readonly string[] | undefined },
  inputs: readonly tf.Tensor[],
  kwargs: Config,
) {
  const [sequence, ...rest] = inputs as [tf.Tensor, ...tf.Tensor[]];
  const given = layer.operands?.includes("mask") ? rest.at(-1) : undefined;
  const own = given ? rest.slice(0, -1) : rest;
  const states = own.length > 0 ? own : ((kwargs.initialState ?? []) as unknown as tf.Tensor[]);
  const initial = states.length > 0 ? states : undefined;
  return { sequence, initial, mask: given ?? arriving(layer, kwargs) };
}

/** The cells that a recurrent layer runs, in their order. */
export const cellsOf = (layer: { readonly cell: Cell }): readonly Cell[] =>
  layer.cell instanceof StackedRNNCells ? layer.cell.cells : [layer.cell];

/**
 * A cell along the steps of a sequence [batch, time, ...], as Keras runs it. A masked step keeps the states and repeats the
 * output (zeros before the first), or with `zeroOutputForMask` gives zeros. Further inputs are the states to start from.
 */
export class RNN extends stock<RecurrentFields, RecurrentConfig>("RNN") {
  static override readonly className: string = "RNN";
  static readonly tensorArguments = ["sequences", "initial_state", "mask"];
  zeroOutputForMask: boolean;
  /** The call arguments that the inputs are, in their order; absent where all after the first are states. */
  readonly operands: readonly string[] | undefined;

  constructor(config: RecurrentConfig) {
    const { cell } = config;
    super({ ...config, cell: Array.isArray(cell) ? new StackedRNNCells({ cells: cell }) : cell });
    this.zeroOutputForMask = config.zeroOutputForMask ?? false;
    this.operands = config.inputs;
    if (config.timeMajor) {
      const hint = "Rebuild it with time_major=False and permute the dimensions before it.";
      throw badModel("sequences with the batch first", "time_major true", `layer "${this.name}"`, hint);
    }
  }

  override apply(...[inputs, kwargs]: Parameters<tf.layers.Layer["apply"]>) {
    return applyWithStates(this, inputs, kwargs);
  }

  /** What is known of inputs concerns the sequence. */
  protected override assertInputCompatibility(inputs: Inputs): void {
    super.assertInputCompatibility([inputs].flat()[0] as tf.Tensor);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Config): tf.Tensor | tf.Tensor[] {
    return tf.tidy(() => {
      const { sequence, initial, mask } = takenApart(this, [inputs].flat(), kwargs);
      let states = initial ?? this.zeroStates(sequence);
      const order = (steps: tf.Tensor[]): tf.Tensor[] => (this.goBackwards ? steps.toReversed() : steps);
      const steps = order(tf.unstack(sequence, 1));
      const masks = mask && order(tf.unstack(tf.cast(mask, "float32"), 1));
      const outputs: tf.Tensor[] = [];
      this.#forgetMasks();
      for (const [t, x] of steps.entries()) {
        const [output, ...next] = this.cell.call([x, ...states], {
          training: kwargs.training ?? false,
        }) as tf.Tensor[];
        const step = masks?.[t];
        const before = this.zeroOutputForMask ? undefined : outputs.at(-1);
        outputs.push(step ? chosen(step, output!, before) : output!);
        states = step ? next.map((state, i) => chosen(step, state, states[i])) : next;
      }
      this.#forgetMasks();
      const output = this.returnSequences ? tf.stack(outputs, 1) : outputs.at(-1)!;
      return this.returnState ? [output, ...states] : output;
    });
  }

  /** What a sequence starts from where it is not told. */
  zeroStates(sequence: tf.Tensor): tf.Tensor[] {
    return sizesOf(this.cell).map((size) => tf.zeros([sequence.shape[0]!, size]));
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    const [batch, time] = (Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as Shape;
    const units = sizesOf(cellsOf(this).at(-1)!)[0]!;
    const output = (this.returnSequences ? [batch, time, units] : [batch, units]) as tf.Shape;
    const states = sizesOf(this.cell).map((size): tf.Shape => [batch!, size]);
    return this.returnState ? [output, ...states] : output;
  }

  override computeMask(_: tf.Tensor | tf.Tensor[], mask?: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const own = this.returnSequences ? ([mask].flat()[0] ?? null) : null;
    const masks = [own, ...(this.returnState ? sizesOf(this.cell).map(() => null) : [])];
    return (this.returnState ? masks : own) as tf.Tensor;
  }

  override getConfig(): Config {
    const { zeroOutputForMask } = this;
    const inputs = this.operands && { inputs: [...this.operands] };
    return { ...super.getConfig(), zeroOutputForMask, ...inputs };
  }

  /** Dropout draws its masks anew for every sequence. */
  #forgetMasks(): void {
    for (const each of cellsOf(this) as unknown as CellFields[]) {
      for (const field of ["dropoutMask", "recurrentDropoutMask"] as const) {
        if (each[field] == null) continue;
        tf.dispose(each[field]);
        each[field] = null;
      }
    }
  }
}

/** `value` where the mask is 1, elsewhere `before`, or zeros. */
function chosen(mask: tf.Tensor, value: tf.Tensor, before: tf.Tensor | undefined): tf.Tensor {
  const on = tf.reshape(mask, [mask.shape[0]!, ...value.shape.slice(1).map(() => 1)]);
  const kept = tf.mul(value, on);
  return before ? tf.add(kept, tf.mul(before, tf.sub(1, on))) : kept;
}

/** A recurrent layer of one class of cells. */
const of = (
  name: string,
  Kind: new (config: CellConfig) => Cell,
): tf.serialization.SerializableConstructor<RNN> =>
  class extends RNN {
    static override readonly className = name;

    constructor(config: CellConfig & Omit<RecurrentConfig, "cell">) {
      // The cell's own name would come before the layer's in the names of weights.
      const { name: _, ...options } = config;
      super({ ...config, cell: new Kind(options) });
    }

    static fromConfig<T extends tf.serialization.Serializable>(
      kind: tf.serialization.SerializableConstructor<T>,
      config: Config,
    ): T {
      return new kind(config);
    }
  } as unknown as tf.serialization.SerializableConstructor<RNN>;

export const RECURRENT = {
  SimpleRNNCell,
  LSTMCell,
  GRUCell,
  StackedRNNCells,
  RNN,
  SimpleRNN: of("SimpleRNN", SimpleRNNCell),
  LSTM: of("LSTM", LSTMCell),
  GRU: of("GRU", GRUCell),
} as unknown as LayerClasses;
