import type { Experiment } from "../experiment.js";
import { chosen } from "./chosen.js";
import { claims } from "./claims.js";
import { comparison } from "./comparison.js";
import { cost } from "./cost.js";
import { precision } from "./precision.js";
import { schemes } from "./schemes.js";

/** All tables, in the order of their numbers. */
export const EXPERIMENTS: readonly Experiment[] = [comparison, schemes, precision, cost, chosen, claims];
