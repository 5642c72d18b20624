import type { z } from "zod";
import type { QuantizedModel } from "./generate/index.js";
import type { GenerateOptions } from "./generation.js";
import type { QuantizedGraph } from "./graph/graph.js";
import type { LearnOptions, PlanOptions, SearchOptions, TuneOptions } from "./options.js";
import type { Figure } from "./report/figures.js";
import type { SensitivityOptions, SensitivityTable } from "./sensitivity.js";
import type { Data } from "./train/data.js";
import type { LearnRun, SearchRun, TuneRun } from "./train/run.js";

/** How a model becomes a plan: data, seed, and which nodes are quantized. */
export type AutoqnnOptions = Omit<z.input<typeof PlanOptions>, "data"> & { readonly data?: Data };
export type SearchSchemesOptions = z.input<typeof SearchOptions>;
export type LearnPrecisionOptions = z.input<typeof LearnOptions>;
export type FineTuneOptions = z.input<typeof TuneOptions>;

/** What every state of a plan can do. Nothing is computed before `generate()` or `run()` is called. */
export interface Generates {
  /** The quantized graph that the plan works on; `graph.table()` shows every node before any training. */
  readonly graph: QuantizedGraph;
  /**
   * Runs what is left of the plan and packs the result. Without a stage, nodes that are not pinned are in fixed at 8 bits,
   * and what else was measured decides: see `GenerateOptions`.
   *
   * @example
   * const quantized = await autoqnn(model, { data }).fineTune().generate({ batchNormalization: "fold" });
   * quantized.batchNormalizations; // [{ layer: "stem_bn", into: "stem" }, ...]
   */
  generate(options?: GenerateOptions): Promise<QuantizedModel>;
}

/** A model before any stage. */
export interface Start extends Generates {
  searchSchemes(options?: SearchSchemesOptions): Searched;
  learnPrecision(options?: LearnPrecisionOptions): Learned;
  fineTune(options?: FineTuneOptions): Tuned;
}

/** A plan that searches schemes, and may go on. */
export interface Searched extends Generates {
  learnPrecision(options?: LearnPrecisionOptions): Learned;
  fineTune(options?: FineTuneOptions): Tuned;
  /** Runs up to here: the stage's result, from which the plan goes on. */
  run(): Promise<SearchRun & Shown & Omit<Searched, "run">>;
}

/** A plan that learns bitwidths, and may go on. */
export interface Learned extends Generates {
  fineTune(options?: FineTuneOptions): Tuned;
  run(): Promise<LearnRun & Shown & Omit<Learned, "run">>;
}

/** A complete plan. */
export interface Tuned extends Generates {
  run(): Promise<TuneRun & Shown & Omit<Tuned, "run">>;
}

/** What a stage's result can do besides holding its values. */
export interface Shown {
  /** The stage's most telling figure, for plotly. */
  plot(): Figure;
  /**
   * Measures on held-out data what one bit more, or less, at each node would do to the loss, without training.
   *
   * @example
   * const table = await learned.sensitivity({ examples: 1500, labels: "soft" });
   * table.rows[0]; // { node: "conv1/kernel", kind: "weight", scheme: "clip", bits: 2, up: { loss: -0.012, error: 0.002 }, ... }
   * console.log(String(table.prices())); // swaps that would pay, exchange rates of the budget, price and worth of each bit
   */
  sensitivity(options?: SensitivityOptions): Promise<SensitivityTable>;
  toString(): string;
}
