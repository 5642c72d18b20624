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
  readonly checkpoint?: string;
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
    run: (model, { data, seed, steps, learningRate, checkpoint }) =>
      autoqnn(model, {
        data,
        seed,
        activations,
        pin: { "*": { scheme: weights, bits: BITS }, "*/input*": { scheme: inputs, bits: BITS } },
      })
        .fineTune({ steps, learningRate, scales: false, ...(checkpoint && { checkpoint }) })
        .generate(),
  };
}

/** Binary has one bit, and quaternary at two bits is clip. */
const SCHEMES: readonly SchemeName[] = ["clip", "ternary", "fixed", "zoom", "pot", "residual"];

/** The steps of a chain's stages before the fine-tune, which gets the rest. */
const share = (steps: number, ...fractions: number[]): number[] =>
  fractions.map((fraction) => Math.round(steps * fraction));

export const METHODS: readonly Method[] = [
  {
    name: "LSQ",
    family: "LSQ",
    run: (model, { data, seed, steps, learningRate, checkpoint }) =>
      autoqnn(model, { data, seed, pin: { "*": { scheme: "lsq", bits: BITS } } })
        .fineTune({ steps, learningRate, ...(checkpoint && { checkpoint }) })
        .generate(),
  },
  {
    name: "QSS",
    family: "QSS",
    run: (model, { data, seed, steps, learningRate, checkpoint }) => {
      const [searching] = share(steps, 0.32) as [number];
      const watch = checkpoint ? { checkpoint } : {};
      return autoqnn(model, { data, seed })
        .searchSchemes({
          ...watch,
          steps: searching,
          control: false,
          learningRate: { weights: learningRate },
        })
        .fineTune({ ...watch, steps: steps - searching, learningRate })
        .generate();
    },
  },
  {
    name: "QPL",
    family: "QPL",
    run: (model, { data, seed, steps, learningRate, checkpoint }) => {
      const [learning, trial] = share(steps, 0.16, 0.05) as [number, number];
      const watch = checkpoint ? { checkpoint } : {};
      return autoqnn(model, { data, seed })
        .learnPrecision({
          ...watch,
          steps: learning,
          trialSteps: trial,
          budget: BUDGET,
        })
        .fineTune({ ...watch, steps: steps - learning - trial, learningRate })
        .generate();
    },
  },
  {
    name: "QSS + QPL (the default chain)",
    family: "QSS + QPL",
    run: (model, { data, seed, steps, learningRate, checkpoint }) => {
      const [searching, trying, learning, trial] = share(steps, 0.08, 0.03, 0.16, 0.05) as [
        number,
        number,
        number,
        number,
      ];
      const watch = checkpoint ? { checkpoint } : {};
      return autoqnn(model, { data, seed })
        .searchSchemes({
          ...watch,
          steps: searching,
          trialSteps: trial,
          learningRate: { weights: learningRate },
        })
        .learnPrecision({
          ...watch,
          steps: learning,
          trialSteps: trial,
          budget: BUDGET,
        })
        .fineTune({ ...watch, steps: steps - searching - trying - learning - trial, learningRate })
        .generate();
    },
  },
  {
    name: "search-free control",
    family: "control",
    run: (model, { data, seed, steps, learningRate, checkpoint }) => {
      const watch = checkpoint ? { checkpoint } : {};
      return autoqnn(model, { data, seed })
        .learnPrecision({ ...watch, budget: BUDGET, roundings: ["control"] })
        .fineTune({ ...watch, steps, learningRate })
        .generate();
    },
  },
  ...SCHEMES.map((scheme) => uniform(`${scheme}, signed`, scheme, scheme, "reference")),
  ...SCHEMES.map((scheme) => uniform(`${scheme} / clip`, scheme, "clip", "range-aware")),
];
