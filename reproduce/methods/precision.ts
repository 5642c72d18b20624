import { totals } from "../../sdk/graph/totals.js";
import { autoqnn, quantizedGraph, type tf } from "../../sdk/index.js";
import type { LearnPrecisionOptions } from "../../sdk/plan.js";
import { type Method, type Protocol, planned, planOptions, share } from "./method.js";
import { NAMES } from "./names.js";

/** The parts of all steps that learning by itself, and each trial of a rounding, take. */
export const LEARNING = 0.16;
export const TRIAL = 0.05;

/**
 * Bytes of weights and of the most live activations of one image where every node has the same bitwidth: what a budget of
 * memory of that many bits allows.
 */
export function memoryAt(model: tf.LayersModel, bits: number): number {
  const graph = quantizedGraph(model);
  const assigned = Object.fromEntries(graph.nodes.map(({ id }) => [id, { scheme: "clip", bits }]));
  return totals(graph, assigned).assigned!.memoryBytes.peak;
}

type Budget = NonNullable<LearnPrecisionOptions["budget"]>;

/** Learned bitwidths under a budget, clip for the schemes. */
function learn(
  name: string,
  budget: (model: tf.LayersModel, protocol: Protocol) => Budget,
  { part = LEARNING, learningRate: own, ...options }: LearnPrecisionOptions & { part?: number } = {},
): Method {
  return {
    name,
    family: NAMES.learn,
    run: planned((model, protocol) => {
      const { steps, learningRate, watch } = protocol;
      const [learning, trialSteps] = [share(part, protocol), share(TRIAL, protocol)];
      return autoqnn(model, planOptions(protocol))
        .learnPrecision({
          ...{ steps: learning, trialSteps, budget: budget(model, protocol) },
          ...{ learningRate: { weights: learningRate, ...own }, ...options, ...watch },
        })
        .fineTune({ steps: steps - learning - trialSteps, learningRate, ...watch });
    }),
  };
}

const average = (_: tf.LayersModel, { bits }: Protocol): Budget => ({ averageBits: bits });

/** The most of a memory that uniform bits need. */
const memory = (model: tf.LayersModel, { bits }: Protocol): Budget => ({ memory: memoryAt(model, bits) });

/** Bitwidths learned under an average. */
export const LEARN: Method = learn(NAMES.learn, average);

/** The integers that keep a budget and lie as close together as it allows, and all steps for the fine-tune. */
function control(name: string, budget: (model: tf.LayersModel, protocol: Protocol) => Budget): Method {
  return {
    name,
    family: NAMES.control,
    run: planned((model, protocol) => {
      const { steps, learningRate, watch } = protocol;
      return autoqnn(model, planOptions(protocol))
        .learnPrecision({ budget: budget(model, protocol), roundings: ["control"], ...watch })
        .fineTune({ steps, learningRate, ...watch });
    }),
  };
}

/** What learning is held against. */
export const CONTROL: Method = control(NAMES.control, average);

/** Bits that are the same everywhere, and bits learned under a budget of memory instead of averages. */
export const PRECISION: readonly Method[] = [
  {
    name: NAMES.uniform,
    family: NAMES.control,
    run: planned((model, protocol) => {
      const { bits, steps, learningRate, watch } = protocol;
      return autoqnn(model, { ...planOptions(protocol), pin: { "*": { scheme: "clip", bits } } }).fineTune({
        ...{ steps, learningRate, ...watch },
      });
    }),
  },
  // What learning makes of the weights is given up, so it is shorter, and its bitwidths move faster.
  learn(NAMES.restarted, average, { part: 0.1, restart: true, learningRate: { bits: 0.02 } }),
  learn(NAMES.memory, memory),
  control(NAMES.memoryControl, memory),
];
