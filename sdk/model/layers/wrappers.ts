import * as tf from "@tensorflow/tfjs";
import { badModel } from "../badModel.js";
import type { LayerClasses } from "./index.js";
import { single } from "./layer.js";
import { arriving } from "./masks.js";
import { applyWithStates, type RecurrentFields, takenApart } from "./recurrent.js";
import { type Described, type Revivable, revived } from "./revived.js";
import { stock } from "./stock.js";

type Config = tf.serialization.ConfigDict;
type Layer = tf.layers.Layer;
type Half = Layer & Omit<RecurrentFields, "cell"> & { zeroOutputForMask?: boolean };
type Merge = "concat" | "sum" | "ave" | "mul" | null;

interface BidirectionalConfig {
  readonly layer: Half;
  readonly backwardLayer?: Half | null;
  readonly mergeMode?: Merge;
  readonly inputs?: readonly string[];
}

interface BidirectionalFields {
  forwardLayer: Half;
  backwardLayer: Half;
  readonly mergeMode: Merge;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
}

const MERGES: Readonly<Record<Exclude<Merge, null>, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor>> = {
  concat: (a, b) => tf.concat([a, b], -1),
  sum: (a, b) => tf.add(a, b),
  ave: (a, b) => tf.mul(0.5, tf.add(a, b)),
  mul: (a, b) => tf.mul(a, b),
};

/**
 * A recurrent layer along a sequence and another, a copy of it unless `backwardLayer` is given, against it. Outputs are
 * merged step by step; states come as those of both, one after the other. Masked steps give zeros in sequences.
 */
class Bidirectional extends stock<BidirectionalFields, BidirectionalConfig>("Bidirectional") {
  static override readonly className = "Bidirectional";
  static readonly tensorArguments = ["sequences", "initial_state", "mask"];

  /** The call arguments that the inputs are, in their order; absent where all after the first are states. */
  readonly operands: readonly string[] | undefined;
  readonly #given: Half | undefined;

  constructor(config: BidirectionalConfig) {
    super(config);
    const { layer, backwardLayer, inputs } = config;
    this.operands = inputs;
    this.#given = backwardLayer ?? undefined;
    const copy = (name: string, options: Config): Half => {
      const kind = layer.constructor as unknown as Revivable;
      return kind.fromConfig(kind, { ...layer.getConfig(), ...options, name }) as Half;
    };
    this.forwardLayer = copy(`forward_${layer.name}`, {});
    this.backwardLayer = this.#given ?? copy(`backward_${layer.name}`, { goBackwards: !layer.goBackwards });
    const { forwardLayer: a, backwardLayer: b } = this;
    const alike = a.returnSequences === b.returnSequences && a.returnState === b.returnState;
    if (!alike || a.goBackwards === b.goBackwards) {
      const hint = "Let one layer go backwards, and both return sequences or states, or neither.";
      throw badModel("layers that run opposite ways", "others", `layer "${this.name}"`, hint);
    }
    for (const half of [a, b]) {
      if (half.zeroOutputForMask !== undefined) half.zeroOutputForMask = half.returnSequences;
    }
  }

  override apply(...[inputs, kwargs]: Parameters<Layer["apply"]>) {
    return applyWithStates(this, inputs, kwargs);
  }

  protected override assertInputCompatibility(inputs: Parameters<Layer["apply"]>[0]): void {
    super.assertInputCompatibility([inputs].flat()[0] as tf.Tensor);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Config): tf.Tensor | tf.Tensor[] {
    return tf.tidy(() => {
      const { sequence, initial, mask } = takenApart(this, [inputs].flat(), kwargs);
      const half = (initial?.length ?? 0) / 2;
      const run = (layer: Half, states: tf.Tensor[] | undefined): tf.Tensor[] => {
        const options = { training: kwargs.training, mask, initialState: states } as unknown as Config;
        return [layer.call(sequence, options)].flat();
      };
      const [y, ...states] = run(this.forwardLayer, initial?.slice(0, half));
      const [reversed, ...more] = run(this.backwardLayer, initial?.slice(half));
      const back = this.returnSequences ? tf.reverse(reversed!, 1) : reversed!;
      const merged = this.mergeMode === null ? [y!, back] : [MERGES[this.mergeMode](y!, back)];
      const all = this.returnState ? [...merged, ...states, ...more] : merged;
      return all.length > 1 ? all : all[0]!;
    });
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    const shapes = (layer: Half): tf.Shape[] => {
      const found = layer.computeOutputShape(inputShape);
      return Array.isArray(found[0]) ? (found as tf.Shape[]) : [found as tf.Shape];
    };
    const [[y, ...states], [back, ...more]] = [shapes(this.forwardLayer), shapes(this.backwardLayer)];
    const joined = [...y!.slice(0, -1), y!.at(-1)! + back!.at(-1)!];
    const merged = this.mergeMode === null ? [y!, back!] : [this.mergeMode === "concat" ? joined : y!];
    const all = this.returnState ? [...merged, ...states, ...more] : merged;
    return all.length > 1 ? all : all[0]!;
  }

  override computeMask(_: tf.Tensor | tf.Tensor[], mask?: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const own = this.returnSequences ? ([mask].flat()[0] ?? null) : null;
    const merged = this.mergeMode === null ? [own, own] : [own];
    const states = this.returnState ? this.#stateCount() : 0;
    const all = [...merged, ...Array(states).fill(null)];
    return (all.length > 1 ? all : own) as tf.Tensor;
  }

  override getConfig(): Config {
    const back = this.#given;
    return {
      ...super.getConfig(),
      ...(back && { backwardLayer: { className: back.getClassName(), config: back.getConfig() } }),
      ...(this.operands && { inputs: [...this.operands] }),
    };
  }

  static fromConfig<T extends tf.serialization.Serializable>(
    kind: tf.serialization.SerializableConstructor<T>,
    config: Config,
  ): T {
    const { layer, backwardLayer, ...options } = config as unknown as {
      layer: Described;
      backwardLayer?: Described | null;
    };
    const back = backwardLayer ? revived(backwardLayer) : undefined;
    return new kind({ ...options, layer: revived(layer), backwardLayer: back });
  }

  #stateCount(): number {
    return [this.forwardLayer, this.backwardLayer].reduce((n, half) => {
      const { cell } = half as unknown as RecurrentFields;
      return n + [cell.stateSize].flat().length;
    }, 0);
  }
}

interface TimeDistributedConfig {
  readonly layer: Layer;
  readonly inputs?: readonly string[];
}

/** A layer at each step of [batch, time, ...]. A mask of more dimensions than batch and time goes on to it, step by step. */
class TimeDistributed extends stock<{ readonly layer: Layer }, TimeDistributedConfig>("TimeDistributed") {
  static override readonly className = "TimeDistributed";
  static readonly tensorArguments = ["inputs", "mask"];
  readonly operands: readonly string[] | undefined;

  constructor(config: TimeDistributedConfig) {
    super(config);
    this.operands = config.inputs;
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    super.build((Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as tf.Shape);
  }

  protected override assertInputCompatibility(inputs: Parameters<Layer["apply"]>[0]): void {
    super.assertInputCompatibility([inputs].flat()[0] as tf.Tensor);
  }

  override call(inputs: tf.Tensor | tf.Tensor[], kwargs: Config): tf.Tensor {
    return tf.tidy(() => {
      const [sequence, given] = [inputs].flat();
      const mask = given ?? arriving(this, kwargs);
      const masks = mask && mask.rank > 2 ? tf.unstack(mask, 1) : [];
      const { training } = kwargs;
      const outputs = tf.unstack(sequence!, 1).map((x, t) => {
        const options = masks[t] ? { training, mask: masks[t] } : { training };
        return single(this.layer.call(x, options));
      });
      return tf.stack(outputs, 1);
    });
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape | tf.Shape[] {
    return super.computeOutputShape((Array.isArray(inputShape[0]) ? inputShape[0] : inputShape) as tf.Shape);
  }

  override getConfig(): Config {
    return { ...super.getConfig(), ...(this.operands && { inputs: [...this.operands] }) };
  }
}

export const WRAPPERS = { Bidirectional, TimeDistributed } as unknown as LayerClasses;
