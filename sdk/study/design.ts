import { join } from "node:path";
import { AutoqnnError } from "../errors.js";
import { type Written, writtenAs } from "../written.js";
import { applied, checkAxes } from "./axes.js";
import { type Cell, canonical, checkCells, digest, keyOf } from "./cell.js";
import { type Definition, modelDigest, planText } from "./definition.js";
import { type Judging, judgedOn } from "./measure.js";
import { checkNames } from "./schema.js";
import { type AnyPlan, beginnings, neighbours, Trail, type Watched } from "./trail.js";

/** What a function that makes the plan of a cell may use. */
export interface CellContext {
  /** Aborted when the study is stopped. */
  readonly signal: AbortSignal;
  /**
   * A directory for checkpoints that all cells share, in all processes: those that give equal values of what determines a
   * result find it there. For what comes before the plan, such as training in floating point.
   */
  shared(...what: readonly unknown[]): string;
}

/** Makes the plan of a cell. */
export type PlanOf = (cell: never, context: CellContext) => AnyPlan | Promise<AnyPlan>;

/** What a study is made of, for what runs it. */
export interface Design {
  readonly axes: readonly string[];
  /** In the order in which they run: cells whose plans begin alike are neighbours. */
  readonly cells: readonly Cell[];
  readonly judging: Judging;
  definition(): Promise<Definition>;
  /** Where a cell keeps its checkpoints, below the study's directory for them. */
  places(cell: Cell): readonly string[];
  /** Begins a series of plans, each of which goes on from what it has in common with the one before. */
  start(directory: string, watched: Omit<Watched, "checkpoint">): (cell: Cell) => Promise<AnyPlan>;
}

/** A design over cells of a plan that is written out, or of a function that makes plans. Throws AutoqnnError `bad-option`. */
export function designOf(plan: AnyPlan | PlanOf, cells: readonly Cell[], judging: Judging): Design {
  checkCells(cells);
  const axes = [...new Set(cells.flatMap((cell) => Object.keys(cell)))];
  checkNames(axes);
  return Object.freeze(
    typeof plan === "function" ? ofFunction(plan, axes, cells, judging) : ofPlan(plan, axes, cells, judging),
  );
}

function ofPlan(plan: AnyPlan, axes: readonly string[], cells: readonly Cell[], judging: Judging): Design {
  const text = writtenAs(plan);
  if (!text) {
    throw new AutoqnnError(
      "bad-option",
      "Expected a plan, or a function that makes one, received something else.",
      "Give what autoqnn(model, options) or one of its stages returns.",
    );
  }
  checkAxes(text, axes);
  judgedOn(text, judging);
  const { nodes } = plan.graph;
  const texts = new Map(cells.map((cell) => [keyOf(cell), applied(text, nodes, cell)]));
  const textOf = (cell: Cell): Written => texts.get(keyOf(cell))!;
  const ordered = neighbours(cells, (cell) => beginnings(textOf(cell)));
  checkPlans(ordered.map(textOf));
  return {
    axes,
    cells: ordered,
    judging,
    definition: async () => ({
      axes,
      plan: planText(text),
      model: await modelDigest(text.model),
      judging: judgingText(judging),
    }),
    places: (cell) => beginnings(textOf(cell)),
    start: (directory, watched) => {
      const trail = new Trail({ ...watched, checkpoint: (beginning) => join(directory, beginning) });
      return async (cell) => trail.follow(textOf(cell));
    },
  };
}

/** Writes every plan, which checks its options; nothing is computed. */
function checkPlans(texts: readonly Written[]): void {
  const trail = new Trail({ signal: new AbortController().signal, checkpoint: (beginning) => beginning });
  for (const text of texts) trail.follow(text);
}

function ofFunction(plan: PlanOf, axes: readonly string[], cells: readonly Cell[], judging: Judging): Design {
  return {
    axes,
    cells,
    judging,
    definition: async () => ({
      axes,
      plan: String(plan).replace(/\s+/g, " "),
      judging: judgingText(judging),
    }),
    // Of a function nobody knows what two cells have in common: each keeps its own.
    places: (cell) => [keyOf(cell)],
    start: (directory, watched) => {
      let own = directory;
      const { signal } = watched;
      const trail = new Trail({ ...watched, checkpoint: (beginning) => join(own, beginning) });
      const shared = (...what: readonly unknown[]): string => join(directory, "shared", digest(...what));
      return async (cell) => {
        const made = await plan(cell as never, { signal, shared });
        const text = writtenAs(made);
        if (!text) {
          throw new AutoqnnError(
            "bad-option",
            "Expected the function of a study to return a plan, received something else.",
            "Return what autoqnn(model, options) or one of its stages returns.",
          );
        }
        own = join(directory, keyOf(cell));
        return trail.follow(text);
      };
    },
  };
}

const judgingText = ({ generate, evaluate }: Judging): string =>
  canonical({ generate, evaluate: evaluate && { size: "size" in evaluate ? evaluate.size : undefined } });
