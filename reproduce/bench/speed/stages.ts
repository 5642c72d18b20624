// Below sdk/index on purpose: a step is timed by itself, without the data, the records and the trials around it.
import type { Engine } from "../../../sdk/engine/engine.js";
import { quantizedGraph } from "../../../sdk/graph/graph.js";
import { tf } from "../../../sdk/index.js";
import { learning } from "../../../sdk/learn/learn.js";
import { type SearchSpace, search } from "../../../sdk/search/search.js";
import { type SchemeName, type SearchedScheme, schemes } from "../../../sdk/staircase/schemes.js";
import { calibrate } from "../../../sdk/train/calibrate.js";
import { type Batch, checkedSource } from "../../../sdk/train/data.js";
import type { Stage, Update } from "../../../sdk/train/loop.js";
import { FLOATING, fixedPolicy, type Policy } from "../../../sdk/train/policy.js";
import { stream } from "../../../sdk/train/random.js";
import { PLAIN } from "../../../sdk/train/recipe.js";
import { mapValues } from "../../../sdk/train/state.js";
import type { Stepper } from "../../../sdk/train/stepper.js";
import { modelShape } from "../../../sdk/train/workbench.js";
import { build, type Network } from "./networks.js";

const SEED = 1;
const BITS = 2;
/** What the schedules are laid out for; nothing of the cost of a step depends on it. */
const STEPS = 1000;
const WEIGHTS: Update[] = ["weights", "scale"].map((parameters) => ({
  parameters,
  schedule: { peak: 1e-3, warmup: 50, floor: 0.5 },
}));
const ALL = Object.keys(schemes) as SearchedScheme[];

interface Space {
  readonly schemes: readonly SchemeName[];
  readonly bits: readonly number[];
}

/** Spaces of exactly as many candidates at every node. */
export const SPACES: Readonly<Record<number, Space>> = {
  1: { schemes: ["clip"], bits: [2] },
  2: { schemes: ["clip", "zoom"], bits: [2] },
  4: { schemes: ["clip", "zoom", "fixed", "pot"], bits: [2] },
  8: { schemes: ALL, bits: [2] },
  16: { schemes: ALL.filter((name) => name !== "quaternary"), bits: [1, 2, 3] },
  32: { schemes: ["clip", "zoom", "fixed", "pot", "residual"], bits: [1, 2, 3, 4, 5, 6, 7, 8] },
};

type Graph = ReturnType<typeof quantizedGraph>;
type Trained = { readonly policy: Policy; readonly updates: readonly Update[] };
type Signed = Readonly<Record<string, boolean>>;

const searched =
  ({ schemes: names, bits }: Space) =>
  (graph: Graph, signed: Signed): Trained => {
    const space: SearchSpace = {
      granularity: "layer",
      schemes: { weights: names, activations: names },
      bits,
      temperature: [2, 0.2],
    };
    const { policy, update } = search(graph, signed, space, { seed: SEED, learningRate: 0.02, warmup: 50 });
    return { policy, updates: [...WEIGHTS, update] };
  };

const everywhere = <T>(graph: Graph, value: T): Record<string, T> =>
  Object.fromEntries(graph.nodes.map(({ id }) => [id, value]));

/** What is trained under each name, as the product's stages set it up. */
const METHODS: Readonly<Record<string, (graph: Graph, signed: Signed) => Trained>> = {
  fp32: () => ({ policy: FLOATING, updates: WEIGHTS.slice(0, 1) }),
  "one-scheme": (graph) => ({
    policy: fixedPolicy(everywhere(graph, { scheme: "clip", bits: BITS })),
    updates: WEIGHTS,
  }),
  qss: searched(SPACES[8]!),
  qpl: (graph, signed) => {
    const { policy, update } = learning(graph, signed, everywhere(graph, "clip" as const), {
      budget: { averageBits: BITS },
      ...{ bits: [1, 8], start: 3, learningRate: 0.01, warmup: 50 },
    });
    return { policy, updates: [...WEIGHTS, update] };
  },
  "schemes-bits": searched({ schemes: ALL, bits: [1, 2, 3, 4] }),
  ...Object.fromEntries(
    Object.entries(SPACES).map(([count, space]) => [`candidates-${count}`, searched(space)]),
  ),
};

/** A stage ready for a `Stepper`, and how many candidates stand at the node that has most. */
export async function stageOf(
  method: string,
  network: Network,
  engine: Engine,
  batch: Batch,
): Promise<{ stage: Stage; candidates: number }> {
  const make = METHODS[method];
  if (!make)
    throw new Error(`Expected one of ${Object.keys(METHODS).join(", ")}, received method ${method}.`);
  const graph = quantizedGraph(build(network));
  const source = await checkedSource("train", [batch], modelShape(graph));
  const found = await calibrate(engine, graph, source, { batchSize: network.batch, batches: 1, seed: SEED });
  // Signed quantizers everywhere, as the peers have them: the range-aware forms, the default, leave only four of the
  // eight schemes to inputs that are never negative.
  const snapshot = { ...found, signed: mapValues(found.signed, () => true) };
  const { policy, updates } = make(graph, snapshot.signed);
  const stage = {
    ...{ name: method, engine, graph, snapshot, policy, recipe: PLAIN, phases: [{ updates, source }] },
    ...{ steps: STEPS, batchSize: network.batch, seed: SEED },
  };
  const counts = graph.nodes.map((node) => policy.candidates(node).length);
  return { stage, candidates: Math.max(...counts) };
}

/** The batch that every method is timed on. */
export function randomBatch({ batch, image, classes }: Network): Batch {
  const draw = stream(0, "batch");
  const pixels = Float32Array.from({ length: batch * image * image * 3 }, draw);
  const labels = Int32Array.from({ length: batch }, () => Math.floor(draw() * classes));
  return { x: tf.tensor4d(pixels, [batch, image, image, 3]), y: tf.tensor1d(labels, "int32") };
}

/** Runs step after step of a stage's one phase on the same batch. */
export function stepsOf(stepper: Stepper, { x, y }: Batch): () => Promise<void> {
  let t = 0;
  return async () => {
    const { loss, correct, penalty } = await stepper.run(0, ++t, { x: x.clone(), y: y.clone() });
    await loss.data();
    tf.dispose([loss, correct, penalty]);
  };
}
