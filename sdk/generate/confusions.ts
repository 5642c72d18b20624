import * as tf from "@tensorflow/tfjs";
import { engine } from "../engine/index.js";
import { AutoqnnError } from "../errors.js";
import type { QuantizedGraph } from "../graph/graph.js";
import type { Confusion } from "../report/confusion.js";
import { type Batch, checkedSource, type Examples } from "../train/data.js";
import { passes } from "../train/passes.js";
import { modelShape } from "../train/workbench.js";
import { forward } from "./runtime.js";

/**
 * Counts what a quantized classifier takes every class for. `names` are those of its outputs, by default their numbers;
 * `at` are the network's tensors, which stay the caller's. Throws AutoqnnError `aborted` when the signal fires.
 */
export async function confusions(
  graph: QuantizedGraph,
  at: Readonly<Record<string, tf.Tensor>>,
  data: Examples,
  {
    names,
    batchSize,
    signal,
  }: {
    readonly names?: readonly string[] | undefined;
    readonly batchSize: number;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Confusion> {
  const shape = modelShape(graph);
  const classes = names ?? Array.from({ length: shape.classes }, (_, i) => String(i));
  if (classes.length !== shape.classes) {
    throw new AutoqnnError(
      "bad-option",
      `Expected ${shape.classes} names of classes, received ${classes.length}.`,
      "Give one name for each output of the network, in order.",
    );
  }
  const source = await checkedSource("examples", data, shape, signal);
  const step = (await engine()).compile("confusion", ({ x, y, ...all }) => {
    const [logits] = forward(graph, all, [x!], { logits: true });
    const truth = y!.rank === 1 ? tf.cast(y!, "int32") : tf.argMax(y!, 1);
    return { predicted: tf.argMax(logits!, 1), truth };
  });
  const counts = classes.map(() => classes.map(() => 0));
  try {
    const inputs = ({ x, y }: Batch) => ({ ...at, x, y });
    const how = { what: "The count of confusions", signal };
    for await (const { outputs } of passes(step, source.epoch({ batchSize }), inputs, how)) {
      const [truth, predicted] = [await outputs.truth!.data(), await outputs.predicted!.data()];
      truth.forEach((label, i) => {
        counts[label]![predicted[i]!]! += 1;
      });
    }
  } finally {
    step.dispose();
  }
  return Object.freeze({ counts, classes });
}
