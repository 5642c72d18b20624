import {
  type AutoqnnOptions,
  autoqnn,
  type Data,
  type QuantizedModel,
  type SchemeName,
  type tf,
} from "../../sdk/index.js";

/** The protocol that every method of the table keeps. */
export interface Protocol {
  readonly data: Data;
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
  readonly run: (model: tf.LayersModel, protocol: Protocol) => Promise<QuantizedModel>;
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
    run: (model, { data, seed, steps, learningRate }) =>
      autoqnn(model, {
        data,
        seed,
        activations,
        pin: { "*": { scheme: weights, bits: BITS }, "*/input*": { scheme: inputs, bits: BITS } },
      })
        .fineTune({ steps, learningRate, scales: false })
        .generate(),
  };
}

/** Binary has one bit, and quaternary at two bits is clip. */
const SCHEMES: readonly SchemeName[] = ["clip", "ternary", "fixed", "zoom", "pot", "residual"];

export const METHODS: readonly Method[] = [
  {
    name: "LSQ",
    family: "LSQ",
    run: (model, { data, seed, steps, learningRate }) =>
      autoqnn(model, { data, seed, pin: { "*": { scheme: "lsq", bits: BITS } } })
        .fineTune({ steps, learningRate })
        .generate(),
  },
  {
    name: "QSS",
    family: "QSS",
    run: (model, { data, seed, steps, learningRate }) => {
      const searching = Math.round(0.16 * steps);
      return autoqnn(model, { data, seed })
        .searchSchemes({ steps: searching, control: false })
        .fineTune({ steps: steps - searching, learningRate })
        .generate();
    },
  },
  {
    name: "QPL",
    family: "QPL",
    run: (model, { data, seed, steps, learningRate }) => {
      const learning = Math.round(0.16 * steps);
      const trial = Math.round(0.05 * steps);
      return autoqnn(model, { data, seed })
        .learnPrecision({ steps: learning, trialSteps: trial, budget: BUDGET })
        .fineTune({ steps: steps - learning - trial, learningRate })
        .generate();
    },
  },
  {
    name: "QSS + QPL (the default chain)",
    family: "QSS + QPL",
    run: (model, { data, seed, steps, learningRate }) => {
      const searching = Math.round(0.08 * steps);
      const searchTrial = Math.round(0.03 * steps);
      const learning = Math.round(0.16 * steps);
      const learnTrial = Math.round(0.05 * steps);
      return autoqnn(model, { data, seed })
        .searchSchemes({ steps: searching, trialSteps: searchTrial })
        .learnPrecision({ steps: learning, trialSteps: learnTrial, budget: BUDGET })
        .fineTune({ steps: steps - searching - searchTrial - learning - learnTrial, learningRate })
        .generate();
    },
  },
  {
    name: "search-free control",
    family: "control",
    run: (model, { data, seed, steps, learningRate }) =>
      autoqnn(model, { data, seed })
        .learnPrecision({ budget: BUDGET, roundings: ["control"] })
        .fineTune({ steps, learningRate })
        .generate(),
  },
  ...SCHEMES.map((scheme) => uniform(`${scheme}, signed`, scheme, scheme, "reference")),
  ...SCHEMES.map((scheme) => uniform(`${scheme} / clip`, scheme, "clip", "range-aware")),
];
