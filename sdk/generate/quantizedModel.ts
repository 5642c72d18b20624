import * as tf from "@tensorflow/tfjs";
import { notebook, showsItself } from "../display.js";
import { engine } from "../engine/index.js";
import type { LeftAlone, QuantizedGraph } from "../graph/graph.js";
import type { Confusion } from "../report/confusion.js";
import type { LayerErrorRow } from "../report/errorPerLayer.js";
import { summaryHtml, summaryText } from "../report/summary.js";
import type { ChannelAxes } from "../staircase/channels.js";
import type { SchemeName } from "../staircase/schemes.js";
import type { Staircase } from "../staircase/staircase.js";
import type { Examples } from "../train/data.js";
import type { Assignment } from "../train/policy.js";
import type { OnProgress } from "../train/progress.js";
import type { Score } from "../train/run.js";
import { toDevice } from "../train/snapshot.js";
import type { Artifact, NormalizationOutcome, Provenance, Sizes } from "./artifact.js";
import { checkInputs } from "./checkInputs.js";
import { confusions } from "./confusions.js";
import { layerErrors } from "./layerErrors.js";
import { type Decoded, decode, forward, inputStaircases } from "./runtime.js";
import { save } from "./save.js";
import { scored } from "./scored.js";

/** A node with the quantizer that stands there for good. */
export interface QuantizedNode {
  /** "conv2/kernel" or "conv2/input". */
  readonly id: string;
  readonly kind: "weight" | "input";
  readonly layer: string;
  /** Without the batch dimension for inputs. */
  readonly shape: readonly number[];
  readonly elements: number;
  readonly scheme: SchemeName;
  readonly bits: number;
  readonly staircase: Staircase;
  /**
   * Of a weight with a scale per output channel, or that a batch normalization was folded into: one factor per output
   * channel. Its values are levels times `values`, whose `shape` broadcasts to the weight's.
   */
  readonly factor?: { readonly shape: readonly number[]; readonly values: Float32Array };
  /** Of a weight with a scale per output channel: the axes that number its channels together, counted from the last, -1. */
  readonly channelAxes?: ChannelAxes;
}

/** How a pass over examples is made. */
export interface PassOptions {
  /** Default 250. */
  readonly batchSize?: number;
  /** By default that of the notebook's running cell. */
  readonly signal?: AbortSignal | undefined;
}

export interface EvaluateOptions extends PassOptions {
  readonly onProgress?: OnProgress;
}

export interface ErrorOptions extends PassOptions {
  /** How many examples are looked at, at most. Default 500. */
  readonly examples?: number;
}

export interface ConfusionOptions extends PassOptions {
  /** The names of the classes, by default their numbers. */
  readonly classNames?: readonly string[];
}

/**
 * A quantized network, ready to use: made by `generate`, or read from a directory by `load`. Immutable; it holds no live
 * tensor.
 *
 * @example
 * const quantized = await autoqnn(model, { data }).learnPrecision({ budget: { averageBits: 2 } }).generate();
 * quantized.summary();
 * quantized.predict(tf.zeros([1, 28, 28, 1])).print();
 * await quantized.save("out/");
 */
export class QuantizedModel {
  /** Names and shapes, batch first, of what `predict` takes and gives. */
  readonly inputs: QuantizedGraph["inputs"];
  readonly outputs: QuantizedGraph["outputs"];
  /** In the order of execution. */
  readonly nodes: readonly QuantizedNode[];
  readonly assignment: Assignment;
  /** The weights and inputs that stay in floating point, and why. */
  readonly leftAlone: readonly LeftAlone[];
  /** Every batch normalization of the network: the layer that it was folded into, or why it was kept. */
  readonly batchNormalizations: readonly NormalizationOutcome[];
  readonly sizes: Sizes;
  readonly provenance: Provenance;
  readonly #artifact: Artifact;
  readonly #graph: QuantizedGraph;
  readonly #decoded: Decoded;

  /** `graph` must be that of `artifact.manifest.topology`, with a node for each of the artifact's. */
  constructor(artifact: Artifact, graph: QuantizedGraph) {
    const { nodes, leftAlone, batchNormalizations, sizes, provenance } = artifact.manifest;
    this.#artifact = artifact;
    this.#graph = graph;
    this.#decoded = decode(artifact);
    this.inputs = graph.inputs;
    this.outputs = graph.outputs;
    this.nodes = Object.freeze(
      nodes.map(({ id, kind, layer, shape, elements, scheme, bits, channelAxes }) => {
        const staircase = this.#decoded.staircases[id]!;
        const factor = this.#decoded.factors[id];
        return Object.freeze({
          ...{ id, kind, layer, shape, elements, scheme, bits, staircase },
          ...(factor && { factor: { shape: factor.shape, values: factor.data as Float32Array } }),
          ...(channelAxes && { channelAxes }),
        });
      }),
    );
    this.assignment = Object.freeze(
      Object.fromEntries(nodes.map(({ id, scheme, bits }) => [id, Object.freeze({ scheme, bits })])),
    );
    this.leftAlone = leftAlone;
    this.batchNormalizations = batchNormalizations;
    this.sizes = sizes;
    this.provenance = provenance;
    Object.freeze(showsItself(this));
  }

  /**
   * The outputs for a batch `x` [n, ...inputShape], as the original model would give them, its softmax included; one
   * tensor per output where there are several. Runs at once on tfjs's current backend. The caller disposes the result.
   *
   * @throws AutoqnnError `bad-data` for inputs of another number or shape.
   */
  predict(x: tf.Tensor): tf.Tensor;
  predict(x: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[];
  predict(x: tf.Tensor | tf.Tensor[]): tf.Tensor | tf.Tensor[] {
    const inputs = Array.isArray(x) ? x : [x];
    checkInputs(this.#graph, inputs);
    const outputs = tf.tidy(() => forward(this.#graph, this.#tensors(), inputs, { logits: false }));
    return outputs.length === 1 ? outputs[0]! : outputs;
  }

  /**
   * Mean loss (nats) and accuracy over `examples`, as one compiled step off the JavaScript thread.
   *
   * @throws AutoqnnError `bad-model` unless this is a classifier of one input and one output, `bad-data` for examples that
   * do not fit it, `aborted` when the signal fires.
   */
  async evaluate(
    examples: Examples,
    { batchSize = 250, onProgress, signal = notebook()?.signal }: EvaluateOptions = {},
  ): Promise<Score> {
    return this.#passing((at) => scored(this.#graph, at, examples, { batchSize, onProgress, signal }));
  }

  /**
   * How far what each layer receives is from the same tensor in the network before quantization, and how much the quantizer
   * there adds: root mean square errors relative to the root mean square of the values, in the order of the network, its
   * output last. Weights that were trained since then count as error too. `errorPerLayer` draws it.
   *
   * @param model the network that was quantized, in floating point
   * @throws AutoqnnError `bad-model` for another network, or unless this is one of one input and one output; `bad-data` for
   * examples that do not fit it; `aborted` when the signal fires.
   * @example
   * const rows = await quantized.errors(model, data.test);
   * rows[0]; // { node: "conv2/input", rounding: 0.11, arriving: 0.18 }
   */
  async errors(
    model: tf.LayersModel,
    data: Examples,
    { examples = 500, batchSize = 250, signal = notebook()?.signal }: ErrorOptions = {},
  ): Promise<readonly LayerErrorRow[]> {
    return this.#passing((at) => layerErrors(this.#graph, at, model, data, { examples, batchSize, signal }));
  }

  /**
   * How often each class is taken for each, over all of `data`. `confusionMatrix` draws it.
   *
   * @throws AutoqnnError as `evaluate` does, and `bad-option` for another number of names.
   * @example
   * const { counts } = await quantized.confusion(data.test, data);
   * counts[0]![6]; // how many examples of class 0 are taken for class 6
   */
  async confusion(
    data: Examples,
    { classNames, batchSize = 250, signal = notebook()?.signal }: ConfusionOptions = {},
  ): Promise<Confusion> {
    return this.#passing((at) => confusions(this.#graph, at, data, { names: classNames, batchSize, signal }));
  }

  /**
   * Writes `model.json`, `packed.bin` (exactly `sizes.packed` bytes) and `floating.bin` into `directory`, which is made if
   * it does not exist. An older artifact there is replaced; other files beside it stay.
   *
   * @throws AutoqnnError `bad-option` for a directory that cannot be written, or that holds other files and no artifact.
   */
  save(directory: string): Promise<void> {
    return save(directory, this.#artifact);
  }

  /** Prints `toString()`. */
  summary(print: (text: string) => void = console.log): void {
    print(this.toString());
  }

  /** Tables of nodes, what was left alone, what became of batch normalizations, and sizes. */
  toString(): string {
    return summaryText(this);
  }

  /** The same as HTML, for a notebook. */
  toHtml(): string {
    return summaryHtml(this);
  }

  /** Does work with the network's tensors. */
  async #passing<T>(work: (at: Readonly<Record<string, tf.Tensor>>) => Promise<T>): Promise<T> {
    await engine();
    const at = this.#tensors();
    try {
      return await work(at);
    } finally {
      tf.dispose(at);
    }
  }

  #tensors(): Record<string, tf.Tensor> {
    const variables = Object.entries(toDevice(this.#decoded.variables));
    return {
      ...Object.fromEntries(variables.map(([name, tensor]) => [`variable/${name}`, tensor])),
      ...inputStaircases(this.#graph, this.#decoded),
    };
  }
}
