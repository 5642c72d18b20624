import * as tf from "@tensorflow/tfjs";
import { notebook } from "../display.js";
import type { Engine } from "../engine/engine.js";
import type { QuantizedGraph } from "../graph/graph.js";
import type { Batch, Source } from "./data.js";
import { type Passed, passes } from "./passes.js";
import type { Policy } from "./policy.js";
import { program } from "./program.js";
import type { Score } from "./run.js";
import type { Snapshot } from "./snapshot.js";
import { stateOf } from "./state.js";

/** Everything an evaluation depends on. */
export interface Evaluation {
  readonly engine: Engine;
  readonly graph: QuantizedGraph;
  readonly snapshot: Snapshot;
  readonly policy: Policy;
  readonly source: Source;
  readonly batchSize: number;
  /** By default that of the notebook's running cell. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Mean loss and accuracy of a snapshot over all of `source`, with frozen statistics. Throws AutoqnnError `aborted` when the
 * signal fires.
 */
export async function evaluate({
  engine,
  graph,
  snapshot,
  policy,
  source,
  batchSize,
  signal = notebook()?.signal,
}: Evaluation): Promise<Score> {
  const step = engine.compile("evaluate", program(graph, policy, snapshot.signed).evaluate);
  const state = stateOf(graph, snapshot, policy);
  try {
    const inputs = ({ x, y }: Batch) => ({ ...state, x, y });
    const how = { what: "The evaluation", signal };
    return await scoreOf(passes(step, source.epoch({ batchSize }), inputs, how));
  } finally {
    step.dispose();
    tf.dispose(state);
  }
}

/**
 * The score of all batches together, of each of which a step gave `loss`, summed over its examples, and how many are `correct`.
 *
 * @param soFar is told the score after each batch
 */
export async function scoreOf(
  batches: AsyncIterable<Passed>,
  soFar: (score: Score) => void = () => {},
): Promise<Score> {
  let [loss, correct, count] = [0, 0, 0];
  const score = (): Score => ({ loss: loss / count, accuracy: correct / count, count });
  for await (const { x, outputs } of batches) {
    loss += (await outputs.loss!.data())[0]!;
    correct += (await outputs.correct!.data())[0]!;
    count += x.shape[0]!;
    soFar(score());
  }
  return score();
}
