import type { Addon, Attribute, HostValues } from "./addon.js";
import type { Spec } from "./traced.js";

/** A dataset of tf.data, and what an element of it is made of. */
export interface Dataset {
  readonly id: number;
  readonly element: readonly Spec[];
}

/** A tensor of the addon. */
export interface Held extends Spec {
  readonly id: number;
}

/** A function of TensorFlow's context over elements; its last arguments are the same tensors at every call. */
export interface Mapping {
  readonly function: string;
  readonly outputs: readonly Spec[];
  readonly constants: readonly { readonly id: number; readonly dtype: number }[];
}

/** tensorflow.data.Options: optimization_options { apply_default_optimizations: false } autotune_options { enabled: false } */
const PLAIN = "\x1a\x02\x08\x00\x3a\x02\x08\x00";

/**
 * TensorFlow's dataset operations, all on the host. A dataset holds what it is made from, so everything here can be
 * released once an iterator stands on the last one.
 */
export class Datasets {
  private readonly ids: number[] = [];

  constructor(private readonly addon: Addon) {}

  tensor(shape: readonly number[], dtype: number, values: HostValues): Held {
    const id = this.addon.createTensor(shape, dtype, values, true);
    this.ids.push(id);
    return { id, dtype, shape };
  }

  /** One element for each index of the tensors' first axis. */
  slices(tensors: readonly Held[]): Dataset {
    const element = tensors.map(({ dtype, shape }) => ({ dtype, shape: shape.slice(1) }));
    const attributes = [this.types("Toutput_types", element), this.shapes(element)];
    return this.dataset(
      "TensorSliceDataset",
      attributes,
      tensors.map(({ id }) => id),
      element,
    );
  }

  /** With `parallel` calls at once, in the order of the elements all the same. */
  map(input: Dataset, { function: name, outputs, constants }: Mapping, parallel?: number): Dataset {
    const { TF_ATTR_FUNC, TF_ATTR_STRING } = this.addon;
    const attributes = [
      { name: "f", type: TF_ATTR_FUNC, value: name },
      this.types("Targuments", constants),
      ...this.output(outputs),
    ];
    const inputs = [input.id, ...constants.map(({ id }) => id)];
    if (parallel === undefined) return this.dataset("MapDataset", attributes, inputs, outputs);
    const ordered = { name: "deterministic", type: TF_ATTR_STRING, value: "true" };
    const calls = [...inputs, this.int64(parallel)];
    return this.dataset("ParallelMapDatasetV2", [...attributes, ordered], calls, outputs);
  }

  /** Elements of whole batches of `size`. */
  batch(input: Dataset, size: number): Dataset {
    const { TF_ATTR_BOOL, TF_BOOL } = this.addon;
    const element = input.element.map(({ dtype, shape }) => ({ dtype, shape: [size, ...shape] }));
    const parallel = { name: "parallel_copy", type: TF_ATTR_BOOL, value: true };
    const whole = this.tensor([], TF_BOOL, Uint8Array.of(1)).id;
    const inputs = [input.id, this.int64(size), whole];
    return this.dataset("BatchDatasetV2", [parallel, ...this.output(element)], inputs, element);
  }

  zip(inputs: readonly Dataset[]): Dataset {
    const element = inputs.flatMap((input) => input.element);
    const number = { name: "N", type: this.addon.TF_ATTR_INT, value: inputs.length };
    const ids = inputs.map(({ id }) => id);
    return this.dataset("ZipDataset", [number, ...this.output(element)], ids, element);
  }

  /** The elements of one, then of the other; the sizes of their first axes may differ. */
  concatenate(first: Dataset, second: Dataset): Dataset {
    const element = first.element.map(({ dtype, shape: [, ...shape] }) => ({ dtype, shape: [-1, ...shape] }));
    return this.dataset("ConcatenateDataset", this.output(element), [first.id, second.id], element);
  }

  /** Makes up to `count` elements ahead, on a thread of its own. */
  prefetch(input: Dataset, count: number): Dataset {
    const { element } = input;
    return this.dataset("PrefetchDataset", this.output(element), [input.id, this.int64(count)], element);
  }

  /** Without the rewriting and tuning of a graph that is simple already, which take longer than some passes. */
  plain(input: Dataset): Dataset {
    const { element } = input;
    const options = { name: "serialized_options", type: this.addon.TF_ATTR_STRING, value: PLAIN };
    return this.dataset("OptionsDataset", [options, ...this.output(element)], [input.id], element);
  }

  release(): void {
    for (const id of this.ids.splice(0)) this.addon.deleteTensor(id);
  }

  private dataset(
    type: string,
    attributes: readonly Attribute[],
    inputs: readonly number[],
    element: readonly Spec[],
  ): Dataset {
    const { id } = this.addon.executeOp(type, attributes, inputs, 1, true)[0]!;
    this.ids.push(id);
    return { id, element };
  }

  private int64(value: number): number {
    return this.tensor([], this.addon.TF_INT64, Int32Array.of(value, 0)).id;
  }

  private output(element: readonly Spec[]): Attribute[] {
    return [this.types("output_types", element), this.shapes(element)];
  }

  private types(name: string, specs: readonly { readonly dtype: number }[]): Attribute {
    return { name, type: this.addon.TF_ATTR_TYPE, value: specs.map(({ dtype }) => dtype) };
  }

  private shapes(element: readonly Spec[]): Attribute {
    const value = element.map(({ shape }) => shape);
    return { name: "output_shapes", type: this.addon.TF_ATTR_SHAPE, value };
  }
}
