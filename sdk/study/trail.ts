import { autoqnn } from "../autoqnn.js";
import type { Start } from "../plan.js";
import type { OnProgress } from "../train/progress.js";
import type { AnyRun } from "../train/run.js";
import type { Written, WrittenStage } from "../written.js";
import { digest } from "./cell.js";

/** How the stages of a cell are stopped, and where they keep their checkpoints: a directory for each beginning. */
export interface Watched {
  readonly signal: AbortSignal;
  readonly checkpoint: (beginning: string) => string;
  /** For stages that were not told where to show their progress. */
  readonly onProgress?: OnProgress | undefined;
}

/** A plan in any of its states. */
export type AnyPlan = Pick<Start, "graph" | "generate"> & {
  readonly run?: () => Promise<AnyRun & Pick<Start, "generate">>;
};

/**
 * The names of a plan's beginnings, from the model's up to the whole plan: plans that begin alike have the names of that
 * beginning in common. Data and model are not part of a name.
 */
export function beginnings({ options, stages }: Written): string[] {
  const { data: _, ...start } = options;
  const names = [digest(start)];
  for (const { name, options: own } of stages) names.push(digest(names.at(-1), name, own));
  return names;
}

/** Sorts what has beginnings so that those in common are neighbours; otherwise the order stays. */
export function neighbours<T>(items: readonly T[], namesOf: (item: T) => readonly string[]): T[] {
  const groups = (rest: readonly { item: T; names: readonly string[] }[], depth: number): T[] => {
    const ended = rest.filter(({ names }) => names.length <= depth).map(({ item }) => item);
    const longer = rest.filter(({ names }) => names.length > depth);
    const branches = [...new Set(longer.map(({ names }) => names[depth]))];
    const branch = (name: string | undefined) => longer.filter(({ names }) => names[depth] === name);
    return [...ended, ...branches.flatMap((name) => groups(branch(name), depth + 1))];
  };
  return groups(
    items.map((item) => ({ item, names: namesOf(item) })),
    0,
  );
}

/**
 * Writes plans one after another, each on the longest beginning that it shares with the one before: what that has computed is
 * not computed again, and what is not shared is let go.
 */
export class Trail {
  readonly #watched: Watched;
  #steps: readonly { readonly name: string; readonly plan: Start }[] = [];
  #origin: readonly unknown[] = [];

  constructor(watched: Watched) {
    this.#watched = watched;
  }

  follow(text: Written): AnyPlan {
    const names = beginnings(text);
    const origin = [text.model, text.options.data];
    const same = origin.every((part, i) => part === this.#origin[i]);
    const first = names.findIndex((name, i) => name !== this.#steps[i]?.name);
    const shared = same ? (first < 0 ? names.length : first) : 0;
    const steps = this.#steps.slice(0, shared);
    for (let i = shared; i < names.length; i++) {
      const plan =
        i === 0
          ? autoqnn(text.model, text.options)
          : this.#go(steps[i - 1]!.plan, text.stages[i - 1]!, names[i]!);
      steps.push({ name: names[i]!, plan });
    }
    this.#steps = steps;
    this.#origin = origin;
    return steps.at(-1)!.plan;
  }

  #go(before: Start, { name, options }: WrittenStage, beginning: string): Start {
    const { signal, checkpoint, onProgress } = this.#watched;
    const own = options.signal instanceof AbortSignal ? [options.signal] : [];
    // A plan has been written with these stages in this order, so that each state has the next one's method.
    return before[name]({
      ...(onProgress && { onProgress }),
      ...options,
      signal: AbortSignal.any([signal, ...own]),
      checkpoint: checkpoint(beginning),
    }) as AnyPlan as Start;
  }
}
