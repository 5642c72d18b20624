import * as tf from "@tensorflow/tfjs";
import { engine } from "../engine/index.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { type Batch, checkedSource, type Examples } from "../train/data.js";
import { scoreOf } from "../train/evaluate.js";
import { countCorrect, crossEntropy } from "../train/objective.js";
import { passes } from "../train/passes.js";
import type { OnProgress } from "../train/progress.js";
import type { Score } from "../train/run.js";
import { modelShape } from "../train/workbench.js";
import { forward } from "./runtime.js";

/**
 * Mean loss (nats) and accuracy of a quantized classifier. `at` are the network's tensors, which stay the caller's. Throws
 * AutoqnnError `aborted` when the signal fires.
 */
export async function scored(
  graph: QuantizedGraph,
  at: Readonly<Record<string, tf.Tensor>>,
  examples: Examples,
  {
    batchSize,
    onProgress,
    signal,
  }: {
    readonly batchSize: number;
    readonly onProgress: OnProgress | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<Score> {
  const source = await checkedSource("examples", examples, modelShape(graph), signal);
  const step = (await engine()).compile("evaluate artifact", ({ x, y, ...all }) => {
    const [logits] = forward(graph, all, [x!], { logits: true });
    return {
      loss: tf.mul(crossEntropy(logits!, y!), logits!.shape[0]!),
      correct: countCorrect(logits!, y!),
    };
  });
  const steps = source.batchesPerEpoch(batchSize);
  const started = performance.now();
  let done = 0;
  try {
    const inputs = ({ x, y }: Batch) => ({ ...at, x, y });
    const how = { what: "The evaluation", signal };
    const passing = passes(step, source.epoch({ batchSize }), inputs, how);
    return await scoreOf(passing, ({ loss, accuracy, count }) => {
      const seconds = (performance.now() - started) / 1000;
      onProgress?.({
        ...{ stage: "evaluate", step: ++done, steps, epoch: 1, epochs: 1, loss, accuracy },
        ...{ speed: count / seconds, eta: (seconds / done) * (steps - done) },
      });
    });
  } finally {
    step.dispose();
  }
}
