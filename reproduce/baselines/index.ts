import { apot } from "./apot.js";
import { dorefa } from "./dorefa.js";
import { hawq } from "./hawq.js";
import { lqNets } from "./lqNets.js";
import { lsq } from "./lsq.js";
import { n2uq } from "./n2uq.js";
import { pact } from "./pact.js";
import type { Baseline } from "./rule.js";

/** The methods that are compared with, oldest first: what each makes of weights and inputs; the loop is everyone's. */
export const BASELINES: readonly Baseline[] = [dorefa, pact, lqNets, lsq, apot, hawq, n2uq];
