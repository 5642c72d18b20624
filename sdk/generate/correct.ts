import * as tf from "@tensorflow/tfjs";
import { notebook } from "../display.js";
import type { Engine, Step, TensorMap } from "../engine/engine.js";
import { EVERY_EDGE, type QuantizedGraph, quantizedGraph } from "../graph/graph.js";
import { leavesOf } from "../model/bypass.js";
import { topologyOf } from "../model/topology/topology.js";
import type { Batch, Source } from "../train/data.js";
import { passes } from "../train/passes.js";
import type { Assignment } from "../train/policy.js";
import { type HostTensor, toDevice, toHost } from "../train/snapshot.js";
import { mapValues, prefixed, under } from "../train/state.js";
import type { Packable } from "./fold.js";
import { multiplied } from "./multiplied.js";
import { type Decoded, forward, inputStaircases, received } from "./runtime.js";

/** On what biases are corrected. */
export interface Calibration {
  readonly engine: Engine;
  readonly source: Source;
  readonly batchSize: number;
  readonly batches: number;
  readonly seed: number;
  /** By default that of the notebook's running cell. */
  readonly signal?: AbortSignal | undefined;
}

/** A layer that adds a bias to sums of products of its input, and lies on one path through the network. */
interface Biased {
  readonly input: string;
  readonly kernel: string;
  readonly bias: string;
  /** Whether every input channel has filters of its own. */
  readonly depthwise: boolean;
}

const KERNELS: Readonly<Record<string, string>> = {
  Dense: "kernel",
  Conv1D: "kernel",
  Conv2D: "kernel",
  Conv3D: "kernel",
  DepthwiseConv1D: "depthwise_kernel",
  DepthwiseConv2D: "depthwise_kernel",
};

/**
 * The network with biases by which each layer makes on average what it makes in floating point: with W and W' its weights in
 * floating point and quantized, and x what it receives in floating point, b' = b + E[W x] - E[W' Q(x)] per output channel,
 * expectations over calibration data (Nagel et al., 2019, "Data-free quantization through weight equalization and bias
 * correction", section 4.2, who leave Q out). A rounding error that all values of a channel share does not average out over the
 * sums that follow.
 *
 * Means are taken per input channel, the edges that padding makes aside. Layers are corrected for their own errors alone, not
 * for those that they receive: what they receive is corrected too, and would be counted twice. The biases are kept where the
 * outputs, before a final softmax, then differ less from those in floating point, in squares over the calibration data.
 *
 * @param decoded what `given` is packed as
 * @returns `layers`: how many biases were corrected; 0 where that was no better, or no layer has a bias
 * @throws AutoqnnError `aborted` when the signal fires.
 */
export async function corrected(
  at: Calibration,
  given: Packable,
  decoded: Decoded,
  assignment: Assignment,
): Promise<{ readonly packable: Packable; readonly layers: number }> {
  const graph = quantizedGraph(given.graph.model, EVERY_EDGE);
  const layers = biasedLayers(graph, assignment);
  if (layers.length === 0) return { packable: given, layers: 0 };
  const { variables } = given.snapshot;
  const floating = Object.fromEntries(
    Object.entries(variables).map(([name, value]) => {
      const factor = given.factors[name];
      return [name, factor ? multiplied(value, factor) : value];
    }),
  );
  const staircases = inputStaircases(graph, decoded);
  const passes = measuring(at, graph, layers, staircases);
  try {
    const target = await passes.floating(floating);
    const fresh = layers.map((layer): [string, HostTensor] => {
      const wanted = sumsOf(layer, floating, target.means);
      const made = sumsOf(layer, decoded.variables, target.quantizedMeans);
      const before = variables[layer.bias]!;
      return [
        layer.bias,
        { ...before, data: Float32Array.from(before.data, (b, c) => b + wanted[c]! - made[c]!) },
      ];
    });
    const biases = Object.fromEntries(fresh);
    const [before, after] = [
      squaredDifference(await passes.quantized(decoded.variables), target.outputs),
      squaredDifference(await passes.quantized({ ...decoded.variables, ...biases }), target.outputs),
    ];
    if (!(after < before)) return { packable: given, layers: 0 };
    const snapshot = { ...given.snapshot, variables: { ...variables, ...biases } };
    return { packable: { ...given, snapshot }, layers: layers.length };
  } finally {
    passes.dispose();
    tf.dispose(staircases);
  }
}

function biasedLayers(graph: QuantizedGraph, assignment: Assignment): Biased[] {
  const leaves = leavesOf(topologyOf(graph.model));
  const shapes = new Map(graph.variables.map(({ name, shape }) => [name, shape]));
  return [...leaves].flatMap(([layer, { className, config }]) => {
    const own = Object.hasOwn(KERNELS, className) ? KERNELS[className]! : undefined;
    const [kernel, bias] = [`${layer}/${own}`, `${layer}/bias`];
    const calls = graph.calls.filter((call) => call.layer === layer);
    const last = config.data_format !== "channels_first";
    if (!own || !last || calls.length !== 1 || assignment[bias] || !shapes.has(kernel) || !shapes.has(bias))
      return [];
    return [{ input: `${layer}/input`, kernel, bias, depthwise: own !== "kernel" }];
  });
}

/** Of every batch of the calibration data: outputs, before a final softmax. */
type Outputs = readonly (readonly HostTensor[])[];

/** By the input edge of each layer: the mean of each channel. */
type Means = Readonly<Record<string, Float64Array>>;

interface Passes {
  /** In floating point, with the means of what layers receive, and of what that is when it is quantized. */
  floating(variables: Readonly<Record<string, HostTensor>>): Promise<{
    readonly outputs: Outputs;
    readonly means: Means;
    readonly quantizedMeans: Means;
  }>;
  quantized(variables: Readonly<Record<string, HostTensor>>): Promise<Outputs>;
  dispose(): void;
}

function measuring(
  { engine, source, batchSize, batches, seed, signal = notebook()?.signal }: Calibration,
  graph: QuantizedGraph,
  layers: readonly Biased[],
  staircases: TensorMap,
): Passes {
  const inputs = new Set(layers.map(({ input }) => input));
  const named = (outputs: readonly tf.Tensor[]): TensorMap =>
    Object.fromEntries(outputs.map((y, k) => [`output/${k}`, y]));
  const floating = engine.compile("means", ({ x, ...at }) => {
    const seen: TensorMap = {};
    const { outputs } = graph.forward(under(at, "variable/"), x!, {
      ...{ training: false, logits: true },
      quantize: ({ id }, value) => {
        if (!inputs.has(id)) return value;
        // A layer would let go of what is made inside its call.
        seen[`mean/${id}`] = tf.keep(channelMeans(value));
        seen[`quantized/${id}`] = tf.keep(channelMeans(received(id, value, at)));
        return value;
      },
    });
    return { ...seen, ...named(outputs) };
  });
  const quantized = engine.compile("outputs", ({ x, ...at }) =>
    named(forward(graph, at, [x!], { logits: true })),
  );
  const run = async (step: Step, variables: Readonly<Record<string, HostTensor>>) => {
    const weights = toDevice(prefixed("variable/", variables));
    const sums: Record<string, Float64Array> = {};
    const outputs: HostTensor[][] = [];
    let count = 0;
    try {
      const inputs = ({ x }: Batch) => ({ ...weights, ...staircases, x });
      const how = { what: "The correction of biases", signal };
      const order = { batchSize, seed, epoch: 0 };
      for await (const { x, outputs: made } of passes(step, source.epoch(order), inputs, how)) {
        const host = await toHost(made);
        outputs.push(graph.outputs.map((_, k) => host[`output/${k}`]!));
        for (const [key, { data }] of Object.entries(host)) {
          if (key.startsWith("output/")) continue;
          sums[key] ??= new Float64Array(data.length);
          for (const [c, mean] of data.entries()) sums[key][c]! += mean * x.shape[0]!;
        }
        count += x.shape[0]!;
        if (outputs.length === batches) break;
      }
    } finally {
      tf.dispose(weights);
    }
    return { outputs, means: mapValues(sums, (sum) => sum.map((value) => value / count)) };
  };
  return {
    floating: async (variables) => {
      const { outputs, means } = await run(floating, variables);
      return { outputs, means: under(means, "mean/"), quantizedMeans: under(means, "quantized/") };
    },
    quantized: async (variables) => (await run(quantized, variables)).outputs,
    dispose: () => {
      floating.dispose();
      quantized.dispose();
    },
  };
}

const channelMeans = (x: tf.Tensor): tf.Tensor => tf.mean(x, [...x.shape.keys()].slice(0, -1));

/** The mean of what each output channel adds up to, without its bias: sum over its weights of w E[x]. */
function sumsOf(
  { input, kernel, depthwise }: Biased,
  variables: Readonly<Record<string, HostTensor>>,
  means: Means,
): Float64Array {
  const { shape, data } = variables[kernel]!;
  const mean = means[input]!;
  const [filters, channels] = [shape.at(-1)!, shape.at(-2)!];
  const sums = new Float64Array(depthwise ? channels * filters : filters);
  // In groups, a filter sees its own group's channels.
  const perGroup = depthwise ? 1 : filters / (mean.length / channels);
  for (let i = 0; i < data.length; i++) {
    const [filter, channel] = [i % filters, Math.floor(i / filters) % channels];
    if (depthwise) sums[channel * filters + filter]! += data[i]! * mean[channel]!;
    else sums[filter]! += data[i]! * mean[Math.floor(filter / perGroup) * channels + channel]!;
  }
  return sums;
}

function squaredDifference(a: Outputs, b: Outputs): number {
  let sum = 0;
  for (const [batch, outputs] of a.entries()) {
    for (const [k, { data }] of outputs.entries()) {
      const other = b[batch]![k]!.data;
      for (let i = 0; i < data.length; i++) sum += (data[i]! - other[i]!) ** 2;
    }
  }
  return sum;
}
