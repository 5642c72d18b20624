import * as tf from "@tensorflow/tfjs";
import { notebook } from "../display.js";
import type { Engine } from "../engine/engine.js";
import { statistics } from "../engine/ops.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { STATISTICS } from "../staircase/statistics.js";
import { divided } from "./channels.js";
import type { Batch, Source } from "./data.js";
import { passes } from "./passes.js";
import { pool } from "./pool.js";
import { type Snapshot, toDevice, toHost } from "./snapshot.js";
import { mapValues, under } from "./state.js";

const MINIMUM = STATISTICS.indexOf("minimum");

/** Of each statistic, how those of several batches become one: what is no mean over values is an extreme of them. */
const POOLED = STATISTICS.map((name) =>
  name === "minimum" ? Math.min : name === "maximum" || name === "absMaximum" ? Math.max : undefined,
);

/**
 * The floating-point network as a snapshot: its weights, and for every node the statistic vector over some batches of
 * training data and whether its values are ever negative. Scales start at 1.
 *
 * @param batches how many batches to look at
 * @param ranges extremes of the batches' own, averaged ("mean"), as running statistics are, which training goes on with; or
 * those of all that was seen ("all"), which does not depend on how it is cut into batches
 * @param signal by default that of the notebook's running cell
 * @throws AutoqnnError `aborted` when the signal fires.
 */
export async function calibrate(
  engine: Engine,
  graph: QuantizedGraph,
  source: Source,
  {
    batchSize,
    batches,
    seed,
    ranges = "mean",
    signal = notebook()?.signal,
  }: {
    batchSize: number;
    batches: number;
    seed: number;
    ranges?: "mean" | "all";
    signal?: AbortSignal | undefined;
  },
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
  let [count, weight] = [0, 0];
  try {
    const inputs = ({ x }: Batch) => ({ ...state, x });
    const how = { what: "The calibration", signal };
    const order = { batchSize, seed, epoch: 0 };
    for await (const { x, outputs } of passes(step, source.epoch(order), inputs, how)) {
      const { done: _, ...measured } = outputs;
      const share = ranges === "mean" ? 1 : x.shape[0]!;
      for (const [id, { data }] of Object.entries(await toHost(measured))) {
        const known = sums[id];
        sums[id] = Float64Array.from(data, (value, i) => {
          const extreme = ranges === "all" && POOLED[i];
          if (extreme) return known ? extreme(known[i]!, value) : value;
          return (known?.[i] ?? 0) + share * value;
        });
        signed[id] = (signed[id] ?? false) || data[MINIMUM]! < 0;
      }
      count++;
      weight += share;
      if (count === batches) break;
    }
  } finally {
    step.dispose();
    tf.dispose(state);
  }
  return {
    ...start,
    statistics: mapValues(sums, (sum) =>
      Float32Array.from(sum, (value, i) => (ranges === "all" && POOLED[i] ? value : value / weight)),
    ),
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
