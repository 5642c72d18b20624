import * as tf from "@tensorflow/tfjs";
import { type CellFields, cellEdges, type Enter, STEPS } from "./cells.js";
import type { Inner, InnerEdge } from "./inner.js";
import type { LayerArgs } from "./layer.js";
import { type Described, revived } from "./revived.js";
import { stock } from "./stock.js";

type Config = tf.serialization.ConfigDict;

/** A layer that makes one step of a sequence. `call` takes and gives [input or output, ...states]. */
export interface Cell extends tf.layers.Layer {
  readonly stateSize: number | number[];
}

interface StockCell extends Omit<CellFields, Made> {
  kernel: tf.LayerVariable;
  recurrentKernel: tf.LayerVariable;
  bias?: tf.LayerVariable | null;
  readonly stateSize: number | number[];
}

/** What a cell makes when it is built. */
type Made = "kernel" | "recurrentKernel" | "bias";

export interface CellConfig extends LayerArgs {
  readonly units: number;
  readonly resetAfter?: boolean;
  readonly unitForgetBias?: boolean;
}

interface OwnCell extends Inner {
  buildKernels(kernel: number[], recurrentKernel: number[], bias: number[]): void;
}

/** A stock cell whose step is ours, so that nodes can stand in it. */
const cell = (
  kind: string,
): { new (config: CellConfig): tf.layers.Layer & StockCell & OwnCell; className: string } =>
  class extends stock<StockCell, CellConfig>(kind) implements OwnCell, Cell {
    static override readonly className: string = kind;

    innerEdges(_?: readonly (readonly number[])[]): readonly InnerEdge[] {
      return cellEdges(kind, this);
    }

    enter(_: string, x: tf.Tensor): tf.Tensor {
      return x;
    }

    /** Weights of other shapes than tfjs's class would make. */
    buildKernels(kernel: number[], recurrentKernel: number[], bias: number[]): void {
      const held = this as unknown as Readonly<Record<string, never>>;
      const add = (name: string, shape: number[], kind: string): tf.LayerVariable => {
        const [start, regularizer, constraint] = ["Initializer", "Regularizer", "Constraint"].map(
          (role) => held[`${kind}${role}`],
        );
        return this.addWeight(name, shape, "float32", start, regularizer, true, constraint);
      };
      this.kernel = add("kernel", kernel, "kernel");
      this.recurrentKernel = add("recurrent_kernel", recurrentKernel, "recurrent");
      this.bias = this.useBias ? add("bias", bias, "bias") : null;
      this.built = true;
    }

    override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Config): tf.Tensor[] {
      const enter: Enter = (name, x) => this.enter(name, x);
      return tf.tidy(() => STEPS[kind]!(this, inputs as tf.Tensor[], Boolean(kwargs.training), enter));
    }
  };

export class SimpleRNNCell extends cell("SimpleRNNCell") {}
export class LSTMCell extends cell("LSTMCell") {}

export class GRUCell extends cell("GRUCell") {
  override readonly resetAfter: boolean;

  constructor(config: CellConfig) {
    // tfjs knows the gate before the kernel only.
    super({ ...config, resetAfter: false });
    this.resetAfter = config.resetAfter ?? false;
  }

  override build(inputShape: tf.Shape): void {
    if (!this.resetAfter) {
      super.build(inputShape);
      return;
    }
    const gates = 3 * this.units;
    this.buildKernels([inputShape.at(-1)!, gates], [this.units, gates], [2, gates]);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), resetAfter: this.resetAfter };
  }
}

/** Sizes of a cell's states; the first is that of its output. */
export const sizesOf = ({ stateSize }: Cell): number[] => [stateSize].flat();

interface StackFields {
  readonly cells: Cell[];
  readonly stateSize: number[];
}

interface StackConfig extends LayerArgs {
  readonly cells: Cell[];
  readonly reverseStateOrder?: boolean;
}

/** Cells one on another as one cell. States lie in the order of the cells, as Keras has them; in tfjs the last comes first. */
export class StackedRNNCells extends stock<StackFields, StackConfig>("StackedRNNCells") implements Inner {
  static override readonly className = "StackedRNNCells";

  readonly #reversed: boolean;

  constructor(config: StackConfig) {
    super(config);
    this.#reversed = config.reverseStateOrder ?? false;
  }

  // A getter in tfjs too.
  override get stateSize(): number[] {
    return this.#inOrder(this.cells).flatMap(sizesOf);
  }

  /** What enters a cell from the one below; the cells' own edges are theirs. */
  innerEdges(): readonly InnerEdge[] {
    return this.cells.slice(0, -1).map((below, i) => {
      const units = sizesOf(below)[0]!;
      const kernel = this.cells[i + 1]!.weights.find(({ originalName }) => originalName.endsWith("/kernel"));
      const meets = kernel
        ? [{ factor: `RNNCell_${i + 1}/kernel`, macs: kernel.shape.reduce<number>((n, d) => n * d!, 1) }]
        : [];
      return { name: `RNNCell_${i + 1}/input`, shape: [units], meets };
    });
  }

  enter(_: string, x: tf.Tensor): tf.Tensor {
    return x;
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Config): tf.Tensor[] {
    return tf.tidy(() => {
      const [first, ...states] = inputs as tf.Tensor[];
      const given = this.#inOrder(this.cells).map((each) => states.splice(0, sizesOf(each).length));
      const before = this.#inOrder(given);
      let at = first!;
      const after = this.cells.map((each, i) => {
        const x = i === 0 ? at : this.enter(`RNNCell_${i}/input`, at);
        const [output, ...next] = each.call([x, ...before[i]!], kwargs) as tf.Tensor[];
        at = output!;
        return next;
      });
      return [at, ...this.#inOrder(after).flat()];
    });
  }

  override getConfig(): Config {
    return { ...super.getConfig(), reverseStateOrder: this.#reversed };
  }

  static fromConfig<T extends tf.serialization.Serializable>(
    kind: tf.serialization.SerializableConstructor<T>,
    config: Config,
  ): T {
    const cells = (config.cells as unknown as Described[]).map(revived);
    return new kind({ ...config, cells });
  }

  #inOrder<T>(list: readonly T[]): readonly T[] {
    return this.#reversed ? list.toReversed() : list;
  }
}
