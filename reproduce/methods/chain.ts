import { autoqnn } from "../../sdk/index.js";
import { type Method, planned, planOptions, share } from "./method.js";
import { NAMES } from "./names.js";
import { LEARNING, TRIAL } from "./precision.js";

/** The parts of all steps that the search of the default chain, and each of its trials, take. */
export const CHAIN_SEARCHING = 0.04;
export const CHAIN_TRIAL = 0.04;

/** Schemes are searched, then bitwidths learned, then all is fine-tuned. */
export const CHAIN: Method = {
  name: NAMES.chain,
  family: "QSS + QPL",
  run: planned((model, protocol) => {
    const { bits, steps, learningRate, watch } = protocol;
    const [searching, searchTrial] = [share(CHAIN_SEARCHING, protocol), share(CHAIN_TRIAL, protocol)];
    const [learning, learnTrial] = [share(LEARNING, protocol), share(TRIAL, protocol)];
    const rest = Math.max(1, steps - searching - searchTrial - learning - learnTrial);
    return autoqnn(model, planOptions(protocol))
      .searchSchemes({
        ...{ bits, steps: searching, trialSteps: searchTrial, learningRate: { weights: learningRate } },
        ...watch,
      })
      .learnPrecision({
        ...{ steps: learning, trialSteps: learnTrial, learningRate: { weights: learningRate } },
        ...{ budget: { averageBits: bits }, ...watch },
      })
      .fineTune({ steps: rest, learningRate, ...watch });
  }),
};
