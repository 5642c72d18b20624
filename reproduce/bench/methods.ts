import {
  type AutoqnnOptions,
  autoqnn,
  type datasets,
  type QuantizedModel,
  type SchemeName,
  type Score,
  type tf,
} from "../../sdk/index.js";
import { BASELINES } from "../baselines/index.js";
import type { Baseline } from "../baselines/rule.js";
import { trainBaseline } from "../baselines/train.js";

/** The protocol that every method of the table keeps. */
export interface Protocol {
  readonly data: Awaited<ReturnType<typeof datasets.fashionMnist>>;
  readonly seed: number;
  /** Steps in all, those of searches and of the trial that was kept included. */
  readonly steps: number;
  /** Of the fine-tune; searches keep their defaults. */
  readonly learningRate: number;
}

/** One row of the table: a way from a floating-point network to a quantized one. */
export interface Method {
  readonly name: string;
  /** Methods of one family share the learning rate that is best, by validation loss, for the family's first. */
  readonly family: string;
  readonly run: (model: tf.LayersModel, protocol: Protocol) => Promise<Measured>;
}

/** What a method gave. */
export interface Measured {
  readonly validation: Score;
  readonly test: Score;
  /** Of all weight codes. */
  readonly bytes: number;
  /** Mean bitwidths. */
  readonly bits: { readonly weights: number; readonly activations: number };
  /** Which contenders the stages kept. */
  readonly chosen?: string;
}

/** The outcome of a plan. */
async function measured(plan: Promise<QuantizedModel>, { data }: Protocol): Promise<Measured> {
  const quantized = await plan;
  const { sizes, provenance } = quantized;
  const chosen = provenance.stages.flatMap((stage) => stage.chosen ?? []).join(" + ");
  return {
    validation: await quantized.evaluate(data.validation),
    test: await quantized.evaluate(data.test),
    bytes: sizes.packedBytes,
    bits: sizes.averageBits,
    ...(chosen && { chosen }),
  };
}

/** A plan as a method. */
const plan =
  (make: (model: tf.LayersModel, protocol: Protocol) => Promise<QuantizedModel>): Method["run"] =>
  (model, protocol) =>
    measured(make(model, protocol), protocol);

/** A method of the literature, every node at the same bits; the first and the last layer at 8 where asked. */
function published(baseline: Baseline, firstLast?: 8): Method {
  const name = `${baseline.name} (as published)${firstLast ? ", first and last layer 8 bits" : ""}`;
  return {
    name,
    family: `${baseline.name} (as published)`,
    run: async (model, { data, seed, steps, learningRate }) => {
      const options = { data, seed, bits: BITS, steps, learningRate, ...(firstLast && { firstLast }) };
      const { validation, test, bytes, averageBits } = await trainBaseline(model, baseline, options);
      return { validation, test: test!, bytes, bits: averageBits };
    },
  };
}

const BITS = 2;
const BUDGET = { averageBits: BITS };

/** Every node the same scheme for weights and one for inputs, no search and no learned scale. */
function uniform(
  name: string,
  weights: SchemeName,
  inputs: SchemeName,
  activations: NonNullable<AutoqnnOptions["activations"]>,
): Method {
  return {
    name,
    family: `uniform, ${activations}`,
    run: plan((model, { data, seed, steps, learningRate }) =>
      autoqnn(model, {
        data,
        seed,
        activations,
        pin: { "*": { scheme: weights, bits: BITS }, "*/input*": { scheme: inputs, bits: BITS } },
      })
        .fineTune({ steps, learningRate, scales: false })
        .generate(),
    ),
  };
}

/** Binary has one bit, and quaternary at two bits is clip. */
const SCHEMES: readonly SchemeName[] = ["clip", "ternary", "fixed", "zoom", "pot", "residual"];

export const METHODS: readonly Method[] = [
  {
    name: "LSQ",
    family: "LSQ",
    run: plan((model, { data, seed, steps, learningRate }) =>
      autoqnn(model, { data, seed, pin: { "*": { scheme: "lsq", bits: BITS } } })
        .fineTune({ steps, learningRate })
        .generate(),
    ),
  },
  {
    name: "QSS",
    family: "QSS",
    run: plan((model, { data, seed, steps, learningRate }) => {
      const searching = Math.round(0.16 * steps);
      return autoqnn(model, { data, seed })
        .searchSchemes({ steps: searching, control: false })
        .fineTune({ steps: steps - searching, learningRate })
        .generate();
    }),
  },
  {
    name: "QPL",
    family: "QPL",
    run: plan((model, { data, seed, steps, learningRate }) => {
      const learning = Math.round(0.16 * steps);
      const trial = Math.round(0.05 * steps);
      return autoqnn(model, { data, seed })
        .learnPrecision({ steps: learning, trialSteps: trial, budget: BUDGET })
        .fineTune({ steps: steps - learning - trial, learningRate })
        .generate();
    }),
  },
  {
    name: "QSS + QPL (the default chain)",
    family: "QSS + QPL",
    run: plan((model, { data, seed, steps, learningRate }) => {
      const searching = Math.round(0.08 * steps);
      const searchTrial = Math.round(0.03 * steps);
      const learning = Math.round(0.16 * steps);
      const learnTrial = Math.round(0.05 * steps);
      return autoqnn(model, { data, seed })
        .searchSchemes({ steps: searching, trialSteps: searchTrial })
        .learnPrecision({ steps: learning, trialSteps: learnTrial, budget: BUDGET })
        .fineTune({ steps: steps - searching - searchTrial - learning - learnTrial, learningRate })
        .generate();
    }),
  },
  {
    name: "search-free control",
    family: "control",
    run: plan((model, { data, seed, steps, learningRate }) =>
      autoqnn(model, { data, seed })
        .learnPrecision({ budget: BUDGET, roundings: ["control"] })
        .fineTune({ steps, learningRate })
        .generate(),
    ),
  },
  {
    // Learned bitwidths alone, each rounded by itself as far as the budget allows: neither arm nor control is compared.
    name: "fractional bits (FracBits)",
    family: "FracBits",
    run: plan((model, { data, seed, steps, learningRate }) => {
      const learning = Math.round(0.2 * steps);
      return autoqnn(model, { data, seed })
        .learnPrecision({ steps: learning, budget: BUDGET, roundings: ["gamma 1"] })
        .fineTune({ steps: steps - learning, learningRate })
        .generate();
    }),
  },
  {
    // A mixture of bitwidths of one uniform quantizer, as in EdMIPS; the budget holds the place of its penalty on operations.
    name: "mixture of bitwidths (EdMIPS)",
    family: "EdMIPS",
    run: plan((model, { data, seed, steps, learningRate }) => {
      const searching = Math.round(0.2 * steps);
      return autoqnn(model, { data, seed })
        .searchSchemes({
          ...{ steps: searching, candidates: ["clip"], bits: [1, 2, 3, 4], budget: BUDGET },
          ...{ control: false },
        })
        .fineTune({ steps: steps - searching, learningRate })
        .generate();
    }),
  },
  ...BASELINES.map((baseline) => published(baseline)),
  published(BASELINES.find(({ name }) => name === "LSQ")!, 8),
  ...SCHEMES.map((scheme) => uniform(`${scheme}, signed`, scheme, scheme, "reference")),
  ...SCHEMES.map((scheme) => uniform(`${scheme} / clip`, scheme, "clip", "range-aware")),
];
