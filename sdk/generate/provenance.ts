import type { LearnRun, StageRun } from "../train/run.js";
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
  return [
    ...stagesOf(parent),
    {
      kind,
      options: JSON.parse(JSON.stringify(options)),
      seed,
      steps: history.steps,
      ...(validation && { validation }),
      ...(isLearn(run) && {
        arms: run.arms.map((arm) => ({
          name: arm.name,
          ties: [...arm.ties],
          ...(arm.validation && { validation: arm.validation }),
        })),
        chosen: run.chosen,
      }),
    },
  ];
}

function isLearn(run: StageRun): run is LearnRun {
  return run.kind === "learn";
}
