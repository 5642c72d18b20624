import * as tf from "@tensorflow/tfjs";
import { notebook } from "../display.js";
import type { Engine } from "../engine/engine.js";
import { statistics } from "../engine/ops.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { STATISTICS } from "../staircase/statistics.js";
import { divided } from "./channels.js";
import type { Source } from "./data.js";
import { pool } from "./pool.js";
import { type Snapshot, toDevice, toHost } from "./snapshot.js";
import { mapValues, under } from "./state.js";
import { refuseStopped } from "./stopped.js";

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
  {
    batchSize,
    batches,
    seed,
    signal = notebook()?.signal,
  }: { batchSize: number; batches: number; seed: number; signal?: AbortSignal | undefined },
): Promise<Snapshot> {
  const step = engine.compile("calibrate", (inputs) => {
    const seen: Record<string, tf.Tensor> = {};
    const passing = pool();
    graph.forward(under(inputs, "variable/"), inputs.x!, {
      training: false,
      quantize: (node, x) => {
        if (node.steps) passing.add(node.id, x);
        // A layer would let go of what is made inside its call.
        else seen[node.id] = tf.keep(statistics(divided(node, x).values));
        return x;
      },
    });
    passing.drain((id, values) => {
      seen[id] = statistics(values);
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
      count++;
      refuseStopped(signal, `The calibration was stopped after batch ${count}`);
      if (count === batches) break;
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
