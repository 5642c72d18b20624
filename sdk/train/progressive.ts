import type { QuantizedGraph } from "../graph/graph.js";
import { schemeAt } from "../staircase/schemes.js";
import type { Trained } from "./loop.js";
import type { Assignment, Candidate } from "./policy.js";
import { rangeOf } from "./program.js";
import type { History } from "./run.js";
import type { Snapshot } from "./snapshot.js";

/** An assignment in which no node has fewer bits. */
export interface Lowered {
  readonly bits: number;
  readonly assignment: Assignment;
}

/**
 * For each of the descending `widths`, the assignment with at least so many bits at every node; those are left out that are
 * what follows them.
 */
export function lowered(
  graph: QuantizedGraph,
  signed: Snapshot["signed"],
  assignment: Assignment,
  widths: readonly number[],
): readonly Lowered[] {
  const nodes = new Map(graph.nodes.map((node) => [node.id, node]));
  const atLeast = (bits: number, id: string, own: Candidate): Candidate => {
    if (own.bits >= bits) return own;
    const range = rangeOf(nodes.get(id)!, signed[id] ?? true);
    return { scheme: schemeAt(own.scheme, bits, range), bits };
  };
  const least = Math.min(...Object.values(assignment).map(({ bits }) => bits));
  return widths
    .filter((bits) => bits > least)
    .map((bits) => ({
      bits,
      assignment: Object.fromEntries(
        Object.entries(assignment).map(([id, own]) => [id, atLeast(bits, id, own)]),
      ),
    }));
}

/** What trainings one after another gave: the end of the last, the history of all, steps counted from the first. */
export function inTurn(before: readonly Trained[], last: Trained): Trained {
  if (before.length === 0) return last;
  const histories = [...before, last].map(({ history }) => history);
  const steps = histories.reduce((sum, history) => sum + history.steps, 0);
  const earlier = steps - last.history.steps;
  return {
    ...last,
    history: {
      steps,
      loss: joined(histories.map(({ loss }) => loss)),
      accuracy: joined(histories.map(({ accuracy }) => accuracy)),
      // Nothing but weights and scales is trained.
      traces: {},
      seconds: histories.reduce((sum, { seconds }: History) => sum + seconds, 0),
    },
    health: last.health.map((finding) => ({ ...finding, since: finding.since + earlier })),
    ...(last.observed && {
      observed: {
        ...last.observed,
        looks: { ...last.observed.looks, steps: last.observed.looks.steps.map((step) => step + earlier) },
      },
    }),
  };
}

const joined = (parts: readonly Float32Array[]): Float32Array =>
  Float32Array.from(parts.flatMap((part) => [...part]));
