import { autoqnn, schemes } from "../../sdk/index.js";
import type { SearchSchemesOptions } from "../../sdk/plan.js";
import { type Method, type Protocol, planned, planOptions, share } from "./method.js";
import { NAMES, withoutScheme } from "./names.js";

/** The part of all steps that a search by itself takes. */
export const SEARCHING = 0.16;

const ALL = Object.keys(schemes) as (keyof typeof schemes)[];

/** Scheme search by itself, with something changed or left out; it trains at the rate of the whole search. */
function search(name: string, changed: (protocol: Protocol) => SearchSchemesOptions): Method {
  return {
    name,
    family: NAMES.search,
    run: planned((model, protocol) => {
      const { bits, steps, learningRate, watch } = protocol;
      const searching = share(SEARCHING, protocol);
      return autoqnn(model, planOptions(protocol))
        .searchSchemes({
          ...{ bits, steps: searching, learningRate: { weights: learningRate }, control: false },
          ...watch,
          ...changed(protocol),
        })
        .fineTune({ steps: steps - searching, learningRate, ...watch });
    }),
  };
}

/** The whole search. */
export const SEARCH: Method = search(NAMES.search, () => ({}));

/** The parts of scheme search, each left out or replaced by the plainer. */
export const ABLATIONS: readonly Method[] = [
  search(NAMES.modelSearch, () => ({ granularity: "model" })),
  ...ALL.map((scheme) =>
    search(withoutScheme(scheme), () => ({ candidates: ALL.filter((name) => name !== scheme) })),
  ),
];
