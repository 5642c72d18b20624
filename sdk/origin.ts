import type * as tf from "@tensorflow/tfjs";
import { engine } from "./engine/index.js";
import { AutoqnnError } from "./errors.js";
import { type QuantizedGraph, quantizedGraph } from "./graph/graph.js";
import { checkSaveable } from "./graph/saveable.js";
import { checkWeights, layersModel } from "./model/index.js";
import { once } from "./once.js";
import { checked, PlanOptions, recipeOf } from "./options.js";
import type { AutoqnnOptions } from "./plan.js";
import { type SchemeName, schemeAt } from "./staircase/schemes.js";
import { calibrate } from "./train/calibrate.js";
import type { Assignment } from "./train/policy.js";
import { rangeOf } from "./train/program.js";
import type { Snapshot } from "./train/snapshot.js";
import { openWorkbench, type Workbench } from "./train/workbench.js";
import { defaultProgress } from "./watching.js";
import type { Written } from "./written.js";

/** The bitwidth of a node for which no stage and no pin has decided. */
const BITS = 8;

/** Batches of training data from which ranges and first statistics are taken. */
const CALIBRATION_BATCHES = 8;

/** How many examples these are at least, where nothing is trained that could make up for ranges of too few. */
const CALIBRATION_EXAMPLES = 64;

/** What all plans on one model share. */
export interface Origin {
  readonly graph: QuantizedGraph;
  readonly seed: number;
  readonly data: boolean;
  readonly bench: () => Promise<Workbench>;
  /** Where training starts. */
  readonly calibrated: (signal?: AbortSignal) => Promise<Snapshot>;
  /** What is packed when there is no training: ranges are of all that was seen. */
  readonly untrained: (signal?: AbortSignal) => Promise<Snapshot>;
  readonly ownScales: boolean;
  readonly text: Written;
}

/** Checks a model and the options of its plans; nothing is computed yet. Throws AutoqnnError as `autoqnn` does. */
export function originOf(trained: tf.LayersModel | tf.GraphModel, options: AutoqnnOptions): Origin {
  const {
    data: _,
    seed,
    batchSize,
    activations,
    recipe,
    ...edges
  } = checked(PlanOptions, options, "autoqnn");
  const model = layersModel(trained);
  checkWeights(model);
  checkSaveable(model);
  const { data } = options;
  const graph = quantizedGraph(model, edges);
  const bench = once(async () =>
    openWorkbench(await engine(), graph, data ?? missingData(), {
      progress: await defaultProgress(),
      seed,
      batchSize,
      recipe: recipeOf(recipe),
    }),
  );
  const seen = async (batches: number, ranges: "mean" | "all", signal: AbortSignal | undefined) => {
    const { engine, train } = await bench();
    const how = { batchSize, batches, ranges, seed, signal };
    const snapshot = await calibrate(engine, graph, train, how);
    return activations === "reference" ? { ...snapshot, signed: mapTrue(snapshot.signed) } : snapshot;
  };
  const examples = Math.ceil(CALIBRATION_EXAMPLES / batchSize);
  return {
    ...{ graph, seed, bench, data: data !== undefined },
    calibrated: once((signal) => seen(CALIBRATION_BATCHES, "mean", signal)),
    untrained: once((signal) => seen(Math.max(CALIBRATION_BATCHES, examples), "all", signal)),
    ownScales: edges.perChannel === undefined,
    text: { model: trained, options, stages: [] },
  };
}

/** What stands at every node that no stage has decided: what is pinned, else `scheme` at 8 bits. Inputs need statistics. */
export function initialAssignment(
  graph: QuantizedGraph,
  snapshot: Snapshot,
  scheme: (bits: number) => SchemeName,
): Assignment {
  const known = graph.nodes.filter((node) => node.kind === "weight" || snapshot.statistics[node.id]);
  return Object.fromEntries(
    known.map((node) => {
      const bits = node.pin?.bits ?? BITS;
      const range = rangeOf(node, snapshot.signed[node.id] ?? true);
      return [node.id, { scheme: schemeAt(node.pin?.scheme ?? scheme(bits), bits, range), bits }];
    }),
  );
}

/** Throws AutoqnnError `bad-option`: there are no data. */
export function missingData(what = "for a stage that trains"): never {
  throw new AutoqnnError(
    "bad-option",
    `Expected data ${what}, received none.`,
    "Pass it with the model: autoqnn(model, { data: await datasets.fashionMnist() }).",
  );
}

const mapTrue = (map: Readonly<Record<string, boolean>>): Record<string, boolean> =>
  Object.fromEntries(Object.keys(map).map((key) => [key, true]));
