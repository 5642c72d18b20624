import * as tf from "@tensorflow/tfjs";
import type { Engine } from "../engine/engine.js";
import { statistics } from "../engine/ops.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { STATISTICS } from "../staircase/statistics.js";
import type { Source } from "./data.js";
import type { Policy } from "./policy.js";
import { program } from "./program.js";
import { type HostTensor, type Snapshot, toDevice, toHost } from "./snapshot.js";
import { mapValues, stateOf, under } from "./state.js";

const MINIMUM = STATISTICS.indexOf("minimum");

/**
 * The floating-point network as a snapshot: its weights, and for every node the mean statistic vector over some batches of
 * training data and whether its values are ever negative. Scales start at 1.
 *
 * @param batches how many batches to look at
 */
export async function calibrate(
  engine: Engine,
  graph: QuantizedGraph,
  source: Source,
  { batchSize, batches, seed }: { batchSize: number; batches: number; seed: number },
): Promise<Snapshot> {
  const step = engine.compile("calibrate", (inputs) => {
    const seen: Record<string, tf.Tensor> = {};
    graph.forward(under(inputs, "variable/"), inputs.x!, {
      training: false,
      quantize: (node, x) => {
        seen[node.id] = statistics(x);
        return x;
      },
    });
    return { ...seen, done: tf.scalar(1) };
  });
  const start = await uncalibrated(graph);
  const { variables } = start;
  const state = Object.fromEntries(
    Object.entries(toDevice(variables)).map(([name, tensor]) => [`variable/${name}`, tensor]),
  );
  const sums: Record<string, Float64Array> = {};
  const signed: Record<string, boolean> = {};
  let count = 0;
  try {
    for await (const { x, y } of source.epoch({ batchSize, seed, epoch: 0 })) {
      const { done, ...outputs } = await step.run({ ...state, x });
      for (const [id, { data }] of Object.entries(await toHost(outputs))) {
        sums[id] ??= new Float64Array(data.length);
        for (const [i, value] of data.entries()) sums[id][i]! += value;
        signed[id] = (signed[id] ?? false) || data[MINIMUM]! < 0;
      }
      tf.dispose([x, y, done!, outputs]);
      if (++count === batches) break;
    }
  } finally {
    step.dispose();
    tf.dispose(state);
  }
  return {
    ...start,
    statistics: mapValues(sums, (sum) => Float32Array.from(sum, (value) => value / count)),
    signed: { ...start.signed, ...signed },
  };
}

/** The floating-point network as a snapshot that knows nothing of its inputs. */
export async function uncalibrated(graph: QuantizedGraph): Promise<Snapshot> {
  const device = graph.read();
  try {
    return {
      variables: await toHost(device),
      statistics: {},
      scales: Object.fromEntries(graph.nodes.map((node) => [node.id, 1])),
      signed: Object.fromEntries(graph.nodes.map((node) => [node.id, true])),
    };
  } finally {
    tf.dispose(device);
  }
}

/**
 * Replaces every moving average of the model (batch normalisation's mean and variance) by the plain mean over `batches`
 * batches, with the quantizers as they will be used. Averages gathered while weights were still moving lag behind them;
 * on small networks that alone can cost points.
 *
 * A moving average becomes m old + (1 - m) new, so two passes over a first batch, from old = 0 and from old = 1, give m
 * without knowing the layer, and every further pass from old = 0 gives new.
 */
export async function reestimate(
  engine: Engine,
  graph: QuantizedGraph,
  snapshot: Snapshot,
  policy: Policy,
  source: Source,
  { batchSize, batches, seed }: { batchSize: number; batches: number; seed: number },
): Promise<Snapshot> {
  const step = engine.compile("re-estimate", (inputs) => ({
    ...program(graph, policy, snapshot.signed).observe(inputs),
    done: tf.scalar(1),
  }));
  const state = stateOf(graph, snapshot, policy);
  const momentum: Record<string, HostTensor["data"]> = {};
  const sums: Record<string, Float64Array> = {};
  let count = 0;
  try {
    for await (const { x, y } of source.epoch({ batchSize, seed, epoch: 0, dropLast: true })) {
      const observe = async (fill?: 0 | 1): Promise<Record<string, HostTensor>> => {
        const filled = fill === undefined ? {} : constants(snapshot, Object.keys(sums), fill);
        const { done, ...outputs } = await step.run({ ...state, ...filled, x, y });
        const host = under(await toHost(outputs), "variable/");
        tf.dispose([filled, done!, outputs]);
        return host;
      };
      if (count === 0)
        for (const [name, { data }] of Object.entries(await observe()))
          sums[name] = new Float64Array(data.length);
      if (Object.keys(sums).length === 0) return snapshot;
      const zero = await observe(0);
      if (count === 0) {
        const one = await observe(1);
        for (const name of Object.keys(sums)) {
          momentum[name] = Float32Array.from(one[name]!.data, (value, i) => value - zero[name]!.data[i]!);
        }
      }
      for (const [name, sum] of Object.entries(sums)) {
        for (let i = 0; i < sum.length; i++) sum[i]! += zero[name]!.data[i]! / (1 - momentum[name]![i]!);
      }
      tf.dispose([x, y]);
      if (++count === batches) break;
    }
  } finally {
    step.dispose();
    tf.dispose(state);
  }
  const fresh = Object.fromEntries(
    Object.entries(sums).map(([name, sum]): [string, HostTensor] => [
      name,
      { ...snapshot.variables[name]!, data: Float32Array.from(sum, (value) => value / count) },
    ]),
  );
  return { ...snapshot, variables: { ...snapshot.variables, ...fresh } };
}

function constants(snapshot: Snapshot, names: readonly string[], value: 0 | 1): Record<string, tf.Tensor> {
  return Object.fromEntries(
    names.map((name) => [`variable/${name}`, tf.fill([...snapshot.variables[name]!.shape], value)]),
  );
}
