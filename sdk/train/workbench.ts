import { notebook } from "../display.js";
import type { Engine } from "../engine/engine.js";
import { AutoqnnError } from "../errors.js";
import type { QuantizedGraph } from "../graph/graph.js";
import { uncalibrated } from "./calibrate.js";
import { type BatchOptions, checkedSource, type Data, type Source } from "./data.js";
import { evaluate } from "./evaluate.js";
import { Memory } from "./kept.js";
import type { Phase, Trained, Update, Watch } from "./loop.js";
import { fixedPolicy, type Policy } from "./policy.js";
import type { OnProgress } from "./progress.js";
import type { Recipe } from "./recipe.js";
import type { Score, StageRun } from "./run.js";
import type { Schedule } from "./schedule.js";
import type { Snapshot } from "./snapshot.js";

/** What all stages of one plan share: where they run, on what, and with which data. */
export interface Workbench {
  readonly engine: Engine;
  readonly graph: QuantizedGraph;
  readonly train: Source;
  /** Where choices are made; the training data itself when there is no validation split. */
  readonly held: Source;
  readonly validated: boolean;
  readonly seed: number;
  readonly batchSize: number;
  readonly recipe: Recipe;
  /** The weights that the model came with, where the recipe learns from them. */
  readonly teacher?: Snapshot["variables"];
  readonly augment?: BatchOptions["augment"];
  /** Where stages show their progress that were not told where. */
  readonly progress: OnProgress;
  /** What this work keeps in the process of stages without a checkpoint directory. */
  readonly memory: Memory;
}

/** How long a stage trains: `steps`, or `epochs` of the training data (a fraction is allowed). */
export interface Length {
  readonly steps?: number | undefined;
  readonly epochs?: number | undefined;
}

/** Checks the data against the model and gathers what the stages share. Throws AutoqnnError `bad-data`. */
export async function openWorkbench(
  engine: Engine,
  graph: QuantizedGraph,
  data: Data,
  { progress, seed, batchSize, recipe }: Pick<Workbench, "progress" | "seed" | "batchSize" | "recipe">,
): Promise<Workbench> {
  const shape = modelShape(graph);
  const train = await checkedSource("train", data.train, shape);
  const held = data.validation && (await checkedSource("validation", data.validation, shape));
  return {
    engine,
    graph,
    train,
    held: held ?? train,
    validated: held !== undefined,
    seed,
    batchSize,
    recipe,
    ...(recipe.distillation && { teacher: (await uncalibrated(graph)).variables }),
    progress,
    memory: new Memory(),
    ...(data.augment && { augment: data.augment }),
  };
}

/** The shape a batch must have for this model. Throws AutoqnnError `bad-model` unless it is a classifier. */
export function modelShape({ model }: QuantizedGraph): {
  inputShape: readonly (number | null)[];
  classes: number;
} {
  const { inputs, outputs } = model;
  const classes = outputs[0]!.shape.at(-1);
  if (
    inputs.length !== 1 ||
    outputs.length !== 1 ||
    outputs[0]!.shape.length !== 2 ||
    !classes ||
    classes < 2
  ) {
    throw new AutoqnnError(
      "bad-model",
      `Expected a classifier with one input and one output [n, classes] to train, received ${inputs.length} inputs and outputs of shapes ${outputs.map(({ shape }) => `[${shape.map((d) => d ?? "n").join(", ")}]`).join(", ")}.`,
      "Training stages use cross-entropy over classes; generate() alone quantizes any model without training.",
    );
  }
  return { inputShape: inputs[0]!.shape, classes };
}

/** The number of steps that `length` means on this workbench. */
export function stepsOf(bench: Workbench, length: Length, epochs: number): number {
  if (length.steps !== undefined) return length.steps;
  const batches = (length.epochs ?? epochs) * bench.train.batchesPerEpoch(bench.batchSize, true);
  return Math.max(1, Math.round(batches / bench.recipe.accumulate));
}

/** What `train` needs besides the policy and the phases. */
export function stageOf(
  bench: Workbench,
  name: string,
  snapshot: Snapshot,
  policy: Policy,
  phases: readonly Phase[],
  steps: number,
) {
  const { engine, graph, batchSize, seed, recipe, teacher, augment } = bench;
  return {
    name,
    engine,
    graph,
    snapshot,
    policy,
    phases,
    steps,
    batchSize,
    seed,
    recipe,
    ...(teacher && { teacher }),
    ...(augment && { augment }),
  };
}

/** The updates of the weights and, unless `scales` is false, of the learned scales. */
export function weightUpdates({ recipe }: Workbench, schedule: Schedule, scales = true): Update[] {
  const slower = { ...schedule, peak: schedule.peak * recipe.scaleRate };
  return [
    { parameters: "weights", schedule },
    ...(scales ? [{ parameters: "scale", schedule: slower }] : []),
  ];
}

/** Loss and accuracy of a snapshot on the held-out data, in batches of training: what fits there fits here. */
export function validate(
  bench: Workbench,
  snapshot: Snapshot,
  policy: Policy,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Score> {
  const { engine, graph, held: source, batchSize } = bench;
  return evaluate({ engine, graph, snapshot, policy, source, batchSize, signal });
}

/** How to watch a stage: as its options say, else as the plan says, and in a notebook until its user interrupts the cell. */
export function watchOf(
  { progress, memory }: Workbench,
  {
    signal = notebook()?.signal,
    onProgress = progress,
    checkpoint,
  }: { [K in keyof Watch]?: Watch[K] | undefined },
): Watch {
  return { onProgress, memory, ...(signal && { signal }), ...(checkpoint && { checkpoint }) };
}

/**
 * What every stage leaves. Its score is that on the held-out data where these are not the training data: `score` where it is
 * known already.
 */
export async function ended(
  bench: Workbench,
  options: object,
  { history, health, observed }: Trained,
  { assignment, snapshot, score }: Pick<StageRun, "assignment" | "snapshot"> & { score?: Score | undefined },
  watch: Watch,
): Promise<Omit<StageRun, "kind">> {
  const judged = async () => score ?? (await validate(bench, snapshot, fixedPolicy(assignment), watch));
  return {
    options: recorded(options),
    seed: bench.seed,
    ...{ history, health },
    ...(observed && { observed }),
    ...{ assignment, snapshot },
    ...(bench.validated && { validation: await judged() }),
  };
}

/** Options as they are kept with a result: what can be written as JSON. */
function recorded(options: object): Readonly<Record<string, unknown>> {
  return JSON.parse(
    JSON.stringify(options, (key, value) =>
      ["signal", "onProgress", "checkpoint"].includes(key) ? undefined : value,
    ),
  );
}
