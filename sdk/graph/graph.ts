import type * as tf from "@tensorflow/tfjs";
import { showsItself } from "../display.js";
import type { TensorMap } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import type { ChannelAxes } from "../staircase/channels.js";
import type { SchemeName } from "../staircase/schemes.js";
import type { CallInnerEdge, Edge, GraphTensor, LayerCall } from "./calls.js";
import type { Assigned } from "./costs.js";
import { edgesOf } from "./edges.js";
import { forwardOf } from "./forward.js";
import { isContainer, type Layer, softmaxOf, within } from "./layers.js";
import { planOf } from "./plan.js";
import { type GraphTable, table } from "./table.js";
import type { BatchMoments } from "./training.js";
import { type Variable, variablesIn } from "./variables.js";

/** An edge of the model on which a quantizer stands: a weight as its layer reads it, or an input as a layer call receives it. */
export interface QuantizingNode {
  /** "conv2/kernel", "conv2/input"; further inputs and calls of the same layer are "conv2/input:1", "conv2/input:2", ... */
  readonly id: string;
  readonly kind: "weight" | "input";
  /** Path of the layer: its name, prefixed by the names of the nested models it is in ("inner/conv"). */
  readonly layer: string;
  /** Without the batch dimension for inputs. */
  readonly shape: readonly number[];
  /** Number of values: of the weight, or of the input per sample. */
  readonly elements: number;
  /** Multiply-accumulates per sample in which this tensor is a factor, over all calls that read it. */
  readonly macs: number;
  /** How many layer calls read it; more than one for the weight of a shared layer. */
  readonly consumers: number;
  /** How often its tensor passes in one call: once per time step for a hidden state. Absent where that is once. */
  readonly steps?: number;
  /** For weight nodes the name of the variable, which is the id. */
  readonly variable?: string;
  /** Of a weight with a scale per output channel: the axes that number its channels together, counted from the last, -1. */
  readonly channelAxes?: ChannelAxes;
  /** What the option `pin` fixes here. */
  readonly pin?: Pin;
}

export interface Pin {
  readonly scheme?: SchemeName | undefined;
  readonly bits?: number | undefined;
}

/** A weight or layer input without a quantizer. */
export interface LeftAlone {
  readonly id: string;
  readonly kind: "weight" | "input";
  readonly layer: string;
  readonly shape: readonly number[];
  readonly reason: string;
}

export interface GraphOptions {
  /**
   * Weights of this rank and above are nodes. Default 2 without biases and scales, which some layers have of rank 2, and
   * without what layers hold that work value by value: kernels and embeddings.
   */
  readonly minimumRank?: number;
  /**
   * Gives every output channel of a weight a scale of its own: its values are divided by the channel's largest magnitude,
   * all channels share the node's staircase, and what comes out is multiplied back. For weights whose channels differ by
   * orders of magnitude, such as depthwise kernels into which a batch normalization was folded. It costs a float32 per
   * channel. Weights of dense, convolution and recurrent layers have channels; others keep one scale. Default false where a
   * plan trains; in a plan without a stage each weight has what leaves less error, see `ownScales`. `false` holds for all.
   */
  readonly perChannel?: boolean;
  /** Also quantize what comes straight from the model's input. Default false: it is 8-bit data already. */
  readonly quantizeInput?: boolean;
  /**
   * Also quantize the hidden states of recurrent cells where they enter the recurrent kernel: nodes "lstm/state", and
   * "gru/reset_state" where the reset gate comes before the kernel. Default false.
   */
  readonly recurrentState?: boolean;
  /**
   * Also quantize the factors of the products of attention: nodes "attention/query", "attention/key",
   * "attention/probabilities", "attention/value". Default false.
   */
  readonly attentionProducts?: boolean;
  /** Name patterns of edges to leave alone, for example `["conv1/*"]`; * stands for any characters. */
  readonly exclude?: readonly string[];
  /** Name patterns of nodes whose scheme or bitwidth is given: `{ "predictions/*": { bits: 8 } }`. Later patterns win. */
  readonly pin?: Readonly<Record<string, Pin>>;
  /**
   * The size, in counts of elements and operations, of dimensions that the model's inputs leave open (null); those of other
   * tensors follow. Without it every open dimension counts as 1.
   */
  readonly openDimension?: number;
}

/** Options by which every edge that may be a node is one. */
export const EVERY_EDGE: GraphOptions = Object.freeze({
  minimumRank: 0,
  quantizeInput: true,
  recurrentState: true,
  attentionProducts: true,
});

export interface ForwardOptions {
  readonly training: boolean;
  /**
   * Returns the quantized `x`. Called once for every weight node and every input node of this pass; several times, with
   * what passes at each step, where the node has `steps`.
   */
  quantize(node: QuantizingNode, x: tf.Tensor): tf.Tensor;
  /** int32 [2]; needed where the model draws random numbers in training (dropout, noise). */
  readonly seed?: tf.Tensor;
  /** Return what goes into a final softmax instead of what comes out. */
  readonly logits?: boolean;
  /** Batch normalizations normalize by this batch's moments, as in training, and report them; nothing else is changed by it. */
  readonly batchMoments?: boolean;
}

/** A model seen as quantizing nodes on edges; immutable, except that `write` changes the model's weights. */
export interface QuantizedGraph {
  readonly model: tf.LayersModel;
  /** In order of execution; the weights of a layer before its inputs. */
  readonly nodes: readonly QuantizingNode[];
  readonly leftAlone: readonly LeftAlone[];
  /** Every variable of the model. `node` is the id of the weight node that stands on it. */
  readonly variables: readonly Variable[];
  /** The option of this name, or 1. */
  readonly openDimension: number;
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly (number | null)[];
    readonly dtype: string;
  }[];
  /** `softmax`: whether the output is a softmax, which `forward` with `logits` leaves out. */
  readonly outputs: readonly {
    readonly name: string;
    readonly shape: readonly (number | null)[];
    readonly softmax: boolean;
  }[];
  /** The layer calls in the order of execution: what `costs.ts` counts. */
  readonly calls: readonly LayerCall[];
  readonly edges: readonly Edge[];
  /** The edges inside layer calls. */
  readonly inner: readonly CallInnerEdge[];
  readonly tensors: readonly GraphTensor[];
  /** Clones of the current values by variable name; the caller disposes them. */
  read(): TensorMap;
  /** Sets the model's weights; names that are left out keep their values. */
  write(values: TensorMap): void;
  /**
   * The model on a batch, as a pure function of `variables` and `inputs`: weights come from `variables`, every node's
   * tensor passes through `quantize`. Synchronous, meant for the body of a compiled step; outside of one, wrap it in
   * `tf.tidy`. `updates` holds the new values of variables that the pass changes (moving averages of batch norm), `moments`
   * what every call of a batch norm measured where `batchMoments` was asked for.
   */
  forward(
    variables: TensorMap,
    inputs: tf.Tensor | tf.Tensor[],
    options: ForwardOptions,
  ): { outputs: tf.Tensor[]; updates: TensorMap; moments: BatchMoments[] };
  /** Every node and everything left alone and why, with sums; `assigned` adds schemes and bits, and what they cost. */
  table(assigned?: Assigned): GraphTable;
}

/**
 * The quantized graph of a model: quantizers stand where layers read their weights and receive their inputs, so any layer
 * is converted without knowing what it computes. Nested models are walked; wrappers and recurrent layers are one layer
 * that owns the weights of its cells.
 *
 * @throws AutoqnnError `bad-model` when the model keeps state between batches or draws random shapes on the host;
 * `bad-option` when a pattern matches nothing.
 * @example
 * const graph = quantizedGraph(model, { exclude: ["conv1/*"], pin: { "predictions/*": { bits: 8 } } });
 * console.log(String(graph.table()));
 */
export function quantizedGraph(model: tf.LayersModel, options: GraphOptions = {}): QuantizedGraph {
  if (model.inputs.length === 0) {
    throw new AutoqnnError(
      "bad-model",
      `Expected a model that says what it takes, received "${model.name}" (class ${model.constructor.name}) without inputs.`,
      "Build it with tf.sequential or tf.model, or give its constructor { inputs, outputs }.",
    );
  }
  const plan = planOf(model, options.openDimension);
  for (const [path, leaf] of plan.leaves) refuseImpure(path, leaf);
  const found = variablesIn(model, plan);
  const byName = new Map(found.map((variable) => [variable.name, variable]));
  const { nodes, leftAlone, calls, edges, inner, tensors } = edgesOf(plan, found, options);
  const byVariable = new Map(
    nodes.flatMap((node) => (node.variable ? [[node.variable, node] as const] : [])),
  );
  const variables = found.map(({ name, shape, trainable, dtype }) =>
    Object.freeze({ name, shape, trainable, dtype, ...(byVariable.has(name) && { node: name }) }),
  );
  const graph: QuantizedGraph = {
    model,
    nodes,
    leftAlone,
    variables,
    calls,
    edges,
    inner,
    tensors,
    openDimension: options.openDimension ?? 1,
    inputs: model.inputs.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
    outputs: model.outputs.map((tensor, i) => ({
      name: model.outputNames[i] ?? tensor.name,
      shape: tensor.shape,
      softmax: isContainer(model) && endsInSoftmax(tensor),
    })),
    read: () => Object.fromEntries(found.map(({ name, holder }) => [name, holder.read().clone()])),
    write: (values) => {
      for (const [name, value] of Object.entries(values)) {
        const variable = byName.get(name);
        if (!variable || String(variable.shape) !== String(value.shape)) {
          throw new AutoqnnError(
            "bad-option",
            `Expected ${variable ? `shape [${variable.shape}]` : "the name of a variable of the model"}, received ${variable ? `[${value.shape}]` : "another"} at "${name}".`,
            "Write values under the names and shapes that `read` returns.",
          );
        }
        variable.holder.write(value);
      }
    },
    forward: forwardOf(plan, found, edges, inner, new Map(nodes.map((node) => [node.id, node]))),
    table: (assigned) => table(graph, assigned),
  };
  return Object.freeze(showsItself(graph));
}

function endsInSoftmax(tensor: tf.SymbolicTensor): boolean {
  const layer = tensor.sourceLayer;
  if (!isContainer(layer)) return softmaxOf(layer) !== undefined;
  const at = layer.inboundNodes[tensor.nodeIndex]?.outputTensors.indexOf(tensor) ?? 0;
  return endsInSoftmax(layer.outputs[at]!);
}

function refuseImpure(path: string, leaf: Layer): void {
  for (const layer of within(leaf)) {
    if (layer.stateful) {
      throw new AutoqnnError(
        "bad-model",
        `Expected layers that keep nothing between batches, received the stateful layer "${path}".`,
        "Build it with stateful: false and feed whole sequences.",
      );
    }
    if (layer.getClassName() === "RandomWidth" || layer.getClassName() === "RandomHeight") {
      throw new AutoqnnError(
        "bad-model",
        `Expected layers whose shapes follow from their inputs, received ${layer.getClassName()} at "${path}".`,
        "Move random resizing out of the model, into the data.",
      );
    }
  }
}
