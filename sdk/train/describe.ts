import { describeFinding } from "./health/finding.js";
import type { AnyRun, LearnRun, Score, SearchRun, StageRun } from "./run.js";

const TITLES = { search: "Scheme search", learn: "Precision learning", tune: "Fine-tuning" } as const;

/** A stage's result in a few lines: what it did, how it went, and what stands at every node. */
export function describeRun(run: AnyRun): string {
  const { history, validation, assignment } = run;
  const last = history.loss.subarray(-20);
  const loss = last.reduce((sum, value) => sum + value, 0) / last.length;
  const lines = [
    `${TITLES[run.kind]}: ${history.steps} steps in ${history.seconds.toFixed(0)} s, training loss ${loss.toFixed(3)}`,
  ];
  if (validation) {
    lines.push(
      `validation: loss ${validation.loss.toFixed(4)}, accuracy ${(100 * validation.accuracy).toFixed(2)} %`,
    );
  }
  const trials = trialsOf(run);
  for (const { name, validation: score } of trials) {
    if (score) lines.push(`tried ${name}: validation loss ${score.loss.toFixed(4)}`);
  }
  const [kept] = trials;
  if (kept?.validation && trials.some((other) => other.validation!.loss < kept.validation!.loss))
    lines.push(`kept ${kept.name}: the other is not better by the margin`);
  lines.push(...run.health.map((finding) => `! ${describeFinding(finding)}`));
  const width = Math.max(...Object.keys(assignment).map((id) => id.length));
  for (const [id, { scheme, bits }] of Object.entries(assignment)) {
    const real = run.kind === "learn" ? `  (b = ${run.learned[id]!.toFixed(2)})` : "";
    lines.push(`  ${id.padEnd(width)}  ${scheme} ${bits} bit${bits === 1 ? "" : "s"}${real}`);
  }
  return lines.join("\n");
}

/** The assignments that a stage compared, the one it kept first. */
export function trialsOf(run: StageRun): readonly { readonly name: string; readonly validation?: Score }[] {
  const { kind } = run as AnyRun;
  if (kind === "search") return (run as SearchRun).trials;
  return kind === "learn" ? (run as LearnRun).arms : [];
}
