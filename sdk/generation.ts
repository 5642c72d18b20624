import type { z } from "zod";
import {
  artifactOf,
  corrected,
  decode,
  fold,
  generate,
  ownScales,
  type QuantizedModel,
  type Scaled,
  stagesOf,
  unfolded,
} from "./generate/index.js";
import type { QuantizedGraph } from "./graph/graph.js";
import type { GenerationOptions } from "./options.js";
import { type Assignment, fixedPolicy } from "./train/policy.js";
import { reestimate } from "./train/reestimate.js";
import type { AnyRun } from "./train/run.js";
import type { Snapshot } from "./train/snapshot.js";
import { validate, type Workbench } from "./train/workbench.js";
import { VERSION } from "./version.js";

/**
 * How a plan's result is packed. `batchNormalization`:
 *
 * - `"keep"`: its layers stand in the artifact as the last stage left them.
 * - `"reestimate"`: mean and variance are measured anew on up to `reestimate` batches of training data (default 100), with
 *   the quantizers in place. Needs data. For a plan without a fine-tune, which does the same at its end: rounding alone
 *   moves what the layers see. ResNet8 on Fashion-MNIST, rounded to 2, 4 and 8 bits without any training, got 62, 88 and
 *   91 % of the test images right instead of 29, 80 and 91 % (`reproduce/bench/batchNormalization.ts`).
 * - `"fold"`: each goes into the layer before it, where that computes kernel x + bias and nothing else reads what it makes:
 *   kernel' = kernel f and bias' = (bias - mean) f + beta, with f = gamma / sqrt(variance + epsilon) per output channel. Two
 *   vectors a layer are left of four (five with a bias), and a pass has fewer steps. Codes stay as they are: the artifact
 *   keeps f beside them. The outputs are the same to the rounding of float32, with one caveat: an intermediate value within
 *   that rounding of a threshold may fall to its other side. The result's `batchNormalizations` says which were kept, and why.
 * - `"reestimate-and-fold"`: the one, then the other.
 *
 * By default they are kept, save in a plan that ends without a fine-tune and has a validation split: there they are kept or
 * re-estimated, whichever has the lower validation loss. (The loss of the very images that they would be measured on says
 * nothing, least of all when they are few.)
 *
 * `biasCorrection` moves the bias of each dense and convolution layer so that its outputs are on average those in floating
 * point, on calibration data without labels, unless the outputs of the network would then be no nearer to its own. For plans
 * without a stage: training moves biases itself. Batch normalization is not re-estimated then, which would mend the same
 * errors in its own layers; folded, it leaves biases to correct. By default it is done where there is data, no stage, and
 * nothing was re-estimated.
 *
 * `signal` stops what is measured for it, by default that of the notebook's running cell.
 */
export type GenerateOptions = z.input<typeof GenerationOptions>;

/** What there is when a plan is to be packed. */
export interface Unpacked {
  readonly graph: QuantizedGraph;
  readonly seed: number;
  /** Absent without data. */
  readonly bench?: Workbench;
  /** The last stage, where there was one. */
  readonly last?: AnyRun;
  readonly snapshot: Snapshot;
  readonly assignment: Assignment;
  /** Whether weights may get a scale per channel that the graph does not give them: nothing was trained with one alone. */
  readonly ownScales: boolean;
}

/** Packs a plan's result. `options` are checked, and re-estimation is asked for only where there is data. */
export async function pack(
  { graph, seed, bench, last, ...given }: Unpacked,
  { batchNormalization, reestimate: batches, biasCorrection, signal }: z.output<typeof GenerationOptions>,
): Promise<QuantizedModel> {
  const { assignment } = given;
  const scaled = given.ownScales
    ? ownScales(graph, given.snapshot, assignment)
    : { snapshot: given.snapshot, factors: {}, rounded: {} };
  const { snapshot, factors } = scaled;
  const open =
    batchNormalization === undefined && !biasCorrection && last?.kind !== "tune" && bench?.validated;
  const settled =
    bench && (open || batchNormalization?.startsWith("reestimate"))
      ? await remeasured(bench, scaled, assignment, { batches, compare: !!open, signal })
      : { snapshot, reason: "kept as it is" };
  const folded = batchNormalization?.endsWith("fold") ?? false;
  const packable = folded
    ? fold(graph, settled.snapshot, assignment, factors)
    : unfolded(graph, settled.snapshot, settled.reason, factors);
  const reestimated = settled.snapshot !== snapshot;
  const generation = { folded, ...(reestimated && { reestimate: batches }) };
  const provenance = { library: VERSION, seed, stages: stagesOf(last), generation };
  const correct = biasCorrection ?? !(last || reestimated);
  if (!bench || !correct) return generate(graph, snapshot, assignment, provenance, packable);

  const decoded = decode(artifactOf(graph, snapshot, assignment, provenance, packable));
  const { engine, train: source, batchSize } = bench;
  const calibration = { engine, source, batchSize, batches: CALIBRATION_BATCHES, seed, signal };
  const better = await corrected(calibration, packable, decoded, assignment);
  const how = { ...generation, ...(better.layers > 0 && { correctedBiases: better.layers }) };
  return generate(graph, snapshot, assignment, { ...provenance, generation: how }, better.packable);
}

/** Batches of training data from which biases are corrected. */
const CALIBRATION_BATCHES = 8;

/** The snapshot with batch normalization measured anew under the quantizers of `assignment`: always, or if it is better so. */
async function remeasured(
  bench: Workbench,
  scaled: Scaled,
  assignment: Assignment,
  { batches, compare, signal }: { batches: number; compare: boolean; signal: AbortSignal | undefined },
): Promise<{ readonly snapshot: Snapshot; readonly reason: string }> {
  const { engine, graph, train, batchSize, seed } = bench;
  // Programs know of no factors: what has them takes part as it was rounded, with nothing left to round.
  const snapshot = { ...scaled.snapshot, variables: { ...scaled.snapshot.variables, ...scaled.rounded } };
  const policy = fixedPolicy(
    Object.fromEntries(Object.entries(assignment).filter(([id]) => !Object.hasOwn(scaled.rounded, id))),
  );
  const fresh = await reestimate(engine, graph, snapshot, policy, train, {
    batchSize,
    batches,
    seed,
    signal,
  });
  if (fresh === snapshot) return { snapshot: scaled.snapshot, reason: "there is none to re-estimate" };
  const divided = Object.keys(scaled.rounded).map((id) => [id, scaled.snapshot.variables[id]!]);
  const measured = { ...fresh, variables: { ...fresh.variables, ...Object.fromEntries(divided) } };
  if (!compare) return { snapshot: measured, reason: "re-estimated" };
  const loss = async (of: Snapshot) => (await validate(bench, of, policy, { signal })).loss;
  const [before, after] = [await loss(snapshot), await loss(fresh)];
  const losses = `${after.toFixed(4)} against ${before.toFixed(4)} nat`;
  return after < before
    ? { snapshot: measured, reason: `re-estimated, with a loss on held-out data of ${losses}` }
    : {
        snapshot: scaled.snapshot,
        reason: `kept as it is: re-estimated, the loss on held-out data is ${losses}`,
      };
}
