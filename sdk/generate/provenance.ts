import { trialsOf } from "../train/describe.js";
import type { StageRun } from "../train/run.js";
import type { Provenance } from "./artifact.js";

/**
 * The stages that led to `run`, itself last, as they are written into an artifact.
 *
 * @example
 * generate(graph, run.snapshot, run.assignment, { library: "0.1.0", seed: 7, stages: stagesOf(run) });
 */
export function stagesOf(run: StageRun | undefined): Provenance["stages"] {
  if (!run) return [];
  const { kind, options, seed, history, validation, parent } = run;
  const trials = trialsOf(run);
  return [
    ...stagesOf(parent),
    {
      kind,
      options: JSON.parse(JSON.stringify(options)),
      seed,
      steps: history.steps,
      ...(validation && { validation }),
      ...(trials.length > 0 && { trials: withoutBits(trials), chosen: trials[0]!.name }),
    },
  ];
}

/** The bits of what was kept stand at the nodes; of the others the scores are enough. */
const withoutBits = (trials: ReturnType<typeof trialsOf>) =>
  JSON.parse(JSON.stringify(trials, (key, value) => (key === "bits" ? undefined : value)));
