import { AutoqnnError } from "./errors.js";
import { type QuantizedModel, spanned } from "./generate/index.js";
import { type GenerateOptions, pack } from "./generation.js";
import { checked, GenerationOptions } from "./options.js";
import { initialAssignment, missingData, type Origin } from "./origin.js";
import { checkedResult, type Stage } from "./staged.js";
import type { SchemeName } from "./staircase/schemes.js";
import { uncalibrated } from "./train/calibrate.js";

/** Runs a plan up to `stage`, or none where there is none, and packs what it gives. */
export async function generateFrom(
  origin: Origin,
  stage: Stage | undefined,
  given: GenerateOptions | undefined,
): Promise<QuantizedModel> {
  const { graph, seed, data } = origin;
  const options = checked(GenerationOptions, given, "generate");
  if (options.batchNormalization?.startsWith("reestimate") && !data)
    missingData("to re-estimate batch normalization from");
  if (options.biasCorrection) checkCorrection(data, stage !== undefined, options.batchNormalization);
  const last = stage && (await checkedResult(stage));
  const bench = data ? { bench: await origin.bench() } : {};
  if (last) {
    const { snapshot, assignment } = last;
    return pack({ graph, seed, snapshot, assignment, ...bench, last, ownScales: false }, options);
  }
  const seen = await (data ? origin.untrained(options.signal) : uncalibrated(graph));
  const assignment = initialAssignment(graph, seen, untrainedScheme);
  const snapshot = spanned(graph, seen, assignment);
  return pack({ graph, seed, snapshot, assignment, ...bench, ownScales: origin.ownScales }, options);
}

/**
 * The scheme of a node that is not pinned, where nothing is trained. Clip cuts off what lies beyond about four deviations at 8
 * bits, which training makes up for: without it two of nsfwjs's networks got logits 40 and 49 % off, and 1.7 and 1.4 % in
 * fixed, which ends where the values end. At fewer bits the larger steps of fixed cost more than what clip cuts off: of
 * 100,000 values spread like Laplace's distribution, clip loses less below 6 bits.
 */
const untrainedScheme = (bits: number): SchemeName => (bits < 6 ? "clip" : "fixed");

/** Biases are corrected towards the network that was given: not what training made of it, nor what was re-estimated. */
function checkCorrection(data: boolean, staged: boolean, batchNormalization: string | undefined): void {
  if (!data) missingData("to correct biases from");
  const reestimated = batchNormalization?.startsWith("reestimate");
  if (!staged && !reestimated) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected biasCorrection in a plan that trains and re-estimates nothing, received it ${staged ? "after a stage" : `with batchNormalization "${batchNormalization}"`}.`,
    staged ? "Leave it out: training moves biases itself." : 'Use one of them, or batchNormalization "fold".',
  );
}
