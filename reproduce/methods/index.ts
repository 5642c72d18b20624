import { autoqnn, type SchemeName } from "../../sdk/index.js";
import { BASELINES } from "../baselines/index.js";
import { lsq } from "../baselines/lsq.js";
import type { Baseline } from "../baselines/rule.js";
import { trainBaseline } from "../baselines/train.js";
import { ABLATIONS, SEARCH } from "./ablation.js";
import { CHAIN } from "./chain.js";
import { type Method, planned, planOptions, share } from "./method.js";
import { NAMES, single } from "./names.js";
import { CONTROL, LEARN, PRECISION } from "./precision.js";

/** The part that methods of others take which search by gradient. */
const SEARCHING_OF_OTHERS = 0.2;

/** A method of the literature. A rule that allots bits is not as its paper has it. */
function published(baseline: Baseline): Method {
  const name = baseline.allocate ? baseline.name : `${baseline.name} (as published)`;
  return trained(name, baseline);
}

/** A method of the literature as a row; with `firstLast`, the first and the last layer have so many bits. */
function trained(name: string, baseline: Baseline, firstLast?: number): Method {
  return {
    name,
    family: name,
    run: async (model, { watch, ...protocol }) => {
      const ends = firstLast !== undefined && { firstLast };
      const run = await trainBaseline(model, baseline, { ...protocol, ...watch, ...ends });
      const { validation, test, bytes, averageBits, history } = run;
      const { seconds, steps } = history;
      return {
        ...{ validation, test: test!, bytes, averageBits },
        stages: [{ name: "fine-tune", seconds, stepMilliseconds: (1000 * seconds) / steps }],
      };
    },
  };
}

/** Bitwidths of the schemes that have no other. */
const OWN_BITS: Partial<Record<SchemeName, number>> = { binary: 1, ternary: 2, quaternary: 2 };

/** One scheme for the weights of every node and clip for its input, no search and no learned scale. */
function uniform(scheme: SchemeName): Method {
  return {
    name: single(scheme),
    family: "uniform",
    run: planned((model, protocol) => {
      const { bits, steps, learningRate, watch } = protocol;
      return autoqnn(model, {
        ...planOptions(protocol),
        pin: { "*": { scheme, bits: OWN_BITS[scheme] ?? bits }, "*/input*": { scheme: "clip", bits } },
      }).fineTune({ steps, learningRate, scales: false, ...watch });
    }),
  };
}

/** The schemes of any bitwidth, and those that have one. */
export const SCALING: readonly SchemeName[] = ["clip", "fixed", "zoom", "pot", "residual"];
export const SINGLE: readonly SchemeName[] = [...SCALING, "ternary", "quaternary", "binary"];

/** Every way from a floating-point network to a quantized one that is compared. The first of a family sets its learning rate. */
export const METHODS: readonly Method[] = [
  SEARCH,
  LEARN,
  CHAIN,
  CONTROL,
  {
    // Learned bitwidths alone, each rounded by itself as far as the budget allows: neither arm nor control is compared.
    name: NAMES.fracbits,
    family: NAMES.fracbits,
    run: planned((model, protocol) => {
      const { bits, steps, learningRate, watch } = protocol;
      const learning = share(SEARCHING_OF_OTHERS, protocol);
      return autoqnn(model, planOptions(protocol))
        .learnPrecision({
          ...{ steps: learning, budget: { averageBits: bits }, roundings: ["gamma 1"] },
          ...{ learningRate: { weights: learningRate }, ...watch },
        })
        .fineTune({ steps: steps - learning, learningRate, ...watch });
    }),
  },
  {
    // A mixture of bitwidths of one uniform quantizer, as in EdMIPS; the budget holds the place of its penalty on operations.
    name: NAMES.edmips,
    family: NAMES.edmips,
    run: planned((model, protocol) => {
      const { bits, steps, learningRate, watch } = protocol;
      const searching = share(SEARCHING_OF_OTHERS, protocol);
      const widths = Array.from({ length: Math.ceil(bits) + 2 }, (_, index) => index + 1);
      return autoqnn(model, planOptions(protocol))
        .searchSchemes({
          ...{ steps: searching, candidates: ["clip"], bits: widths, budget: { averageBits: bits } },
          ...{ learningRate: { weights: learningRate }, control: false, ...watch },
        })
        .fineTune({ steps: steps - searching, learningRate, ...watch });
    }),
  },
  ...BASELINES.map(published),
  trained(NAMES.lsqEnds, lsq, 8),
  ...SINGLE.map(uniform),
  ...ABLATIONS,
  ...PRECISION,
];

/**
 * The method of that name.
 *
 * @throws Error where there is none
 */
export function methodOf(name: string): Method {
  const found = METHODS.find((method) => method.name === name);
  if (!found) throw new Error(`Expected a method of the comparison, received "${name}".`);
  return found;
}
