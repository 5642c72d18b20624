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

/** What can be fine-tuned. */
interface Tunes extends Generates {
  /**
   * Trains weights and a scale s of every node at the schemes and bitwidths that stand there, y = s Q(x / s), gradients
   * straight through the quantizers (dy/dx = 1 within the clip range, 0 outside); at the end moving averages of batch
   * normalization are re-estimated.
   *
   * `epochs` (4; or `steps`), `learningRate` (1e-2, the peak), `progressive` (bitwidths to train at first, such as [8, 4]),
   * `scales` (true), `reestimate` (100 batches), `gradient` (`{ rule: "ste" }`), and what every stage takes: `checkpoint` (a
   * directory from which the stage goes on), `signal`, `onProgress`.
   *
   * @throws AutoqnnError `bad-option` at once; `bad-data` and `bad-model` from `run` and `generate`, before any training
   * @example
   * const tuned = await autoqnn(model, { data, pin: { "*": { scheme: "clip", bits: 2 } } }).fineTune({ epochs: 2 }).run();
   * tuned.validation; // { loss: 0.25, accuracy: 0.91, count: 5000 }
   */
  fineTune(options?: FineTuneOptions): Tuned;
}

/** What bitwidths can be learned for. */
interface Learns extends Tunes {
  /**
   * Precision learning (QPL): every node has a real bitwidth b, and its quantizer lies between two,
   * (1 - f) Q(x; floor b) + f Q(x; ceil b) with f = b - floor b; weights and b are trained against the classification loss and a
   * precision loss, the squared excess over each budget (Gong et al., arXiv 2304.03782, section 5). Integers then keep every
   * budget exactly; several ways of rounding are tried, the search-free control among them, and the least validation loss wins.
   *
   * `budget` (`{ averageBits: 2 }`; also `modelSize` and `memory` in bytes or as "16x", `bitOperations`), `epochs` (1; or
   * `steps`), `bits` ([1, 8]), `start` (3, every b at first), `roundings` (["control", "gamma 1", "gamma 2"]), `trialSteps` (a
   * quarter of the steps), `restart` (false), `learningRate` (`{ weights: 1e-2, bits: 0.01 }`), and what every stage takes.
   *
   * @throws AutoqnnError as `fineTune`; `infeasible-budget`, before any training, for what no bitwidths can keep
   * @example
   * const learned = await autoqnn(model, { data }).learnPrecision({ budget: { modelSize: "16x" } }).run();
   * learned.chosen; // "gamma 2"
   * learned.assignment["conv1/kernel"]; // { scheme: "clip", bits: 3 }
   */
  learnPrecision(options?: LearnPrecisionOptions): Learned;
}

/** A model before any stage. */
export interface Start extends Learns {
  /**
   * Scheme search (QSS): every node's quantizer is a mixture sum_i p_i Q_i of candidates, p = softmax((theta + Gumbel noise) /
   * tau), tau falling; weights and theta are trained together, then the likeliest candidate of each node stands (Gong et al.,
   * arXiv 2304.03782, section 4). It is kept where it beats clip everywhere by `margin` in a trial of each; where clip is kept,
   * what follows starts from what the search began with.
   *
   * `bits` (2; several are searched under a `budget`), `candidates` (all eight schemes; or `{ weights, activations }`),
   * `granularity` ("layer"; "model" for one scheme), `epochs` (0.25; or `steps`), `trialSteps` (as many as the search has),
   * `control` (true), `margin` (0.05 of the loss), `temperature` ([2, 0.2]), `update` ("together"; "turns" moves theta on other
   * data), `restart` (false), `learningRate` (`{ weights: 3e-3, theta: 0.02 }`), and what every stage takes.
   *
   * @throws AutoqnnError as `learnPrecision`
   * @example
   * const searched = await autoqnn(model, { data }).searchSchemes({ candidates: ["clip", "pot", "residual"] }).run();
   * searched.chosen; // "searched"
   * const quantized = await searched.learnPrecision().fineTune().generate();
   */
  searchSchemes(options?: SearchSchemesOptions): Searched;
}

/** A plan that searches schemes, and may go on. */
export interface Searched extends Learns {
  /** Runs up to here: the stage's result, from which the plan goes on. */
  run(): Promise<SearchRun & Shown & Omit<Searched, "run">>;
}

/** A plan that learns bitwidths, and may go on. */
export interface Learned extends Tunes {
  /** Runs up to here: the stage's result, from which the plan goes on. */
  run(): Promise<LearnRun & Shown & Omit<Learned, "run">>;
}

/** A complete plan. */
export interface Tuned extends Generates {
  /** Runs all of it: the last stage's result, which can be generated from. */
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
