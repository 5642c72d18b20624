import * as tf from "@tensorflow/tfjs";
import { engine } from "../engine/index.js";
import { AutoqnnError } from "../errors.js";
import { EVERY_EDGE, type QuantizedGraph, quantizedGraph } from "../graph/graph.js";
import type { LayerErrorRow } from "../report/errorPerLayer.js";
import { type Batch, checkedSource, type Examples } from "../train/data.js";
import { firstOf, passes } from "../train/passes.js";
import { modelShape } from "../train/workbench.js";
import { forward } from "./runtime.js";

/** Sums over all values that passed at one node, as float32 [4]: of what `ROWS` names. */
type Sums = tf.Tensor1D;

/**
 * The relative errors of what the layers of a quantized network receive, over `examples` examples at most: in the order of
 * the network, the output (before a softmax) last. Both networks see the same batches.
 *
 * `at` are the tensors of the quantized network, which stay the caller's. Throws AutoqnnError `aborted` when the signal
 * fires.
 */
export async function layerErrors(
  graph: QuantizedGraph,
  at: Readonly<Record<string, tf.Tensor>>,
  model: tf.LayersModel,
  data: Examples,
  {
    examples,
    batchSize,
    signal,
  }: {
    readonly examples: number;
    readonly batchSize: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<readonly LayerErrorRow[]> {
  const original = quantizedGraph(model, EVERY_EDGE);
  const inputs = graph.nodes.filter(({ kind }) => kind === "input").map(({ id }) => id);
  checkSame(original, inputs);
  // An input that was not calibrated has no quantizer.
  const nodes = inputs.filter((id) => `thresholds/${id}` in at);
  const source = await checkedSource("examples", data, modelShape(graph), signal);
  const outputs = graph.outputs.map((_, i) => (i === 0 ? "output" : `output:${i}`));
  const floating = Object.fromEntries(
    Object.entries(original.read()).map(([name, tensor]) => [`floating/${name}`, tensor]),
  );
  const step = (await engine()).compile("layer errors", ({ x, ...all }) => {
    const seen = passing(original, all, x!);
    const sums = new Map<string, Sums[]>();
    const add = (id: string, received: tf.Tensor, quantized?: tf.Tensor): void => {
      const own = sums.get(id) ?? [];
      sums.set(id, [...own, sumsOf(received, quantized, seen.get(id)![own.length]!)]);
    };
    const logits = forward(graph, all, [x!], { logits: true, watch: add });
    logits.forEach((made, i) => void add(outputs[i]!, made));
    // Where a tensor passes more than once (recurrent cells), all of its values count.
    return Object.fromEntries([...sums].map(([id, parts]) => [id, tf.addN(parts)]));
  });
  const totals = new Map<string, number[]>();
  try {
    const given = ({ x }: Batch) => ({ ...at, ...floating, x });
    const how = { what: "The measurement of errors", signal };
    const chosen = firstOf(source.epoch({ batchSize }), examples);
    for await (const { outputs: sums } of passes(step, chosen, given, how)) {
      for (const [id, tensor] of Object.entries(sums)) {
        const before = totals.get(id) ?? [0, 0, 0, 0];
        const values = await tensor.data();
        totals.set(
          id,
          before.map((sum, i) => sum + values[i]!),
        );
      }
    }
  } finally {
    step.dispose();
    tf.dispose(floating);
  }
  return [...nodes, ...outputs].map((node) => {
    const [arriving, original, rounding, received] = totals.get(node)! as [number, number, number, number];
    const row = { node, arriving: ratio(arriving, original) };
    return Object.freeze(outputs.includes(node) ? row : { ...row, rounding: ratio(rounding, received) });
  });
}

/** The tensors that pass at each node and output of the network before quantization. */
function passing(
  graph: QuantizedGraph,
  all: Readonly<Record<string, tf.Tensor>>,
  x: tf.Tensor,
): ReadonlyMap<string, readonly tf.Tensor[]> {
  const seen = new Map<string, tf.Tensor[]>();
  const variables = Object.fromEntries(
    graph.variables.map(({ name }) => [name, all[`floating/${name}`]!] as const),
  );
  const { outputs } = graph.forward(variables, [x], {
    training: false,
    logits: true,
    quantize: (node, tensor) => {
      seen.set(node.id, [...(seen.get(node.id) ?? []), tensor]);
      return tensor;
    },
  });
  outputs.forEach((tensor, i) => void seen.set(i === 0 ? "output" : `output:${i}`, [tensor]));
  return seen;
}

/** Sums of squares: received - original, original, quantized - received, received. */
function sumsOf(received: tf.Tensor, quantized: tf.Tensor | undefined, original: tf.Tensor): Sums {
  const squares = (tensor: tf.Tensor): tf.Tensor => tf.sum(tf.square(tensor));
  return tf.stack([
    squares(tf.sub(received, original)),
    squares(original),
    squares(tf.sub(quantized ?? received, received)),
    squares(received),
  ]) as Sums;
}

/** Of root mean squares; a tensor of zeros that stays one has no error. */
function ratio(error: number, values: number): number {
  return error === 0 ? 0 : Math.sqrt(error / values);
}

function checkSame(original: QuantizedGraph, nodes: readonly string[]): void {
  const known = new Set(original.nodes.map(({ id }) => id));
  const missing = nodes.find((id) => !known.has(id));
  if (missing === undefined) return;
  throw new AutoqnnError(
    "bad-model",
    `Expected the network that was quantized, received one without "${missing}".`,
    "Give the network in floating point that the quantized one was made of.",
  );
}
