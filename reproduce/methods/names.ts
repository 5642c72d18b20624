import type { SchemeName } from "../../sdk/index.js";

/** Methods that tables single out: the names of their rows in `METHODS`. */
export const NAMES = {
  chain: "QSS + QPL (the default chain)",
  search: "QSS",
  modelSearch: "QSS, one scheme for the model",
  uniform: "uniform bits (clip)",
  learn: "QPL",
  restarted: "QPL, weights restarted",
  memory: "QPL, budget of memory",
  control: "search-free control",
  memoryControl: "search-free control, budget of memory",
  dorefa: "DoReFa (as published)",
  pact: "PACT (as published)",
  lqNets: "LQ-Nets (as published)",
  lsq: "LSQ (as published)",
  lsqEnds: "LSQ, first and last layer at 8 bits",
  apot: "APoT (as published)",
  hawq: "HAWQ + LSQ",
  n2uq: "N2UQ (as published)",
  edmips: "mixture of bitwidths (EdMIPS)",
  fracbits: "fractional bits (FracBits)",
} as const;

/** The search whose candidates lack one scheme. */
export const withoutScheme = (scheme: SchemeName): string => `QSS without ${scheme}`;

/** One scheme for every weight, and clip for every input. */
export const single = (scheme: SchemeName): string => `${scheme} / clip`;
