import { type Coefficients, combine, grid, mirror, type Row, row, tree } from "./rows.js";
import type { Statistic } from "./statistics.js";

/** The eight schemes of the paper, and LSQ, which serves as a baseline and is not searched. */
export type SchemeName =
  | "binary"
  | "ternary"
  | "quaternary"
  | "fixed"
  | "zoom"
  | "clip"
  | "pot"
  | "residual"
  | "lsq";

/** One line of the table: for which bitwidths a scheme exists, and its coefficients there. */
export interface Form {
  readonly bits: readonly [least: number, most: number];
  readonly at: (bits: number, zero: boolean) => Coefficients;
  /** The statistics are those of the start of training: from there on, only the node's learned scale moves. */
  readonly frozen?: true;
}

/** The reference adds it to every step that it divides by. */
const EPSILON = 1e-7;

/** Steps, in deviations, that quantize a normal distribution with least error at 1 to 8 bits. */
const NORMAL = [1, 0.9957, 0.586, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308];
const NORMAL_POWERS = [1, 0.9, 0.4, 0.03];

/** The same for the positive half of a normal distribution, in rectifiedRms. */
const HALF_NORMAL = [0.799, 0.538, 0.3217, 0.185, 0.104, 0.0569, 0.031, 0.0168];
const HALF_NORMAL_POWERS = [0.8, 0.45, 0.06, 0.0005];

export const SIGNED: Record<SchemeName, Form> = {
  /** a = mean abs x; levels -a, a. */
  binary: { bits: [1, 1], at: (_, zero) => mirror([row({ absMean: 1 })], [], zero) },

  /** d = 1.4 mean abs x; levels -a, 0, a with thresholds +-d/2, a = ternaryMean. */
  ternary: {
    bits: [2, 2],
    at: () => ({
      levels: [row({ ternaryMean: -1 }), row({}), row({ ternaryMean: 1 })],
      thresholds: [row({ absMean: -0.7 }), row({ absMean: 0.7 })],
      inclusive: [true, false],
    }),
  },

  /** a = 0.9957 std x; levels (k + 1/2) a, k = -2 .. 1. */
  quaternary: {
    bits: [2, 2],
    at: () => grid(row({ deviation: NORMAL[1]! }), { first: -2, last: 1, shift: 0.5 }),
  },

  /** e = floor(log2 max abs x) - (b - 2); levels k 2^e, k = -2^(b-1) .. 2^(b-1) - 1. */
  fixed: {
    bits: [2, 8],
    at: (bits) =>
      grid(row({ absMaximum: 2 ** (2 - bits) }), { first: -(2 ** (bits - 1)), last: 2 ** (bits - 1) - 1 }),
  },

  /** a = (max - min) / (2^b - 1e-4); levels min + (k + 1/2) a, k = 0 .. 2^b - 1. */
  zoom: {
    bits: [1, 8],
    at: (bits) => {
      const parts = 2 ** bits - 1e-4;
      const step = row({ maximum: 1 / parts, minimum: -1 / parts, one: EPSILON });
      return grid(step, { first: 0, last: 2 ** bits - 1, shift: 0.5, offset: row({ minimum: 1 }) });
    },
  },

  /** a = lambda_b std x; levels (k + 1/2) a, k = -2^(b-1) .. 2^(b-1) - 1; the gradient passes between the outermost. */
  clip: {
    bits: [1, 8],
    at: (bits) => {
      const step = row({ deviation: NORMAL[bits - 1]!, one: EPSILON });
      const levels = grid(step, { first: -(2 ** (bits - 1)), last: 2 ** (bits - 1) - 1, shift: 0.5 });
      return { ...levels, clip: { lower: levels.levels[0]!, upper: levels.levels.at(-1)! } };
    },
  },

  /** a = lambda_b std x; levels +-a 2^e, e = -1, 1, 2, .., 2^(b-1) - 1; thresholds half-way between exponents. */
  pot: {
    bits: [1, 4],
    at: (bits, zero) => {
      const step = row({ deviation: NORMAL_POWERS[bits - 1]!, one: EPSILON });
      const exponents = Array.from({ length: 2 ** (bits - 1) }, (_, e) => e);
      const levels = exponents.map((e) => combine([step], [2 ** (e || -1)]));
      const thresholds = exponents.slice(1).map((e) => combine([step], [2 ** (e - 0.5) - EPSILON]));
      return mirror(levels, thresholds, zero);
    },
  },

  /** a_i = mean abs r_i, r_{i+1} = r_i - a_i sign r_i; levels sum_i +-a_i. */
  residual: {
    bits: [1, 5],
    at: (bits, zero) => {
      const scales: Statistic[] = ["absMean", "residual2", "residual3", "residual4", "residual5"];
      return tree(
        scales.slice(0, bits).map((name) => row({ [name]: 1 })),
        zero,
      );
    },
  },

  /** Esser et al., 2020: step a = 2 mean abs x / sqrt(Qp) at first, then learned; levels k a, k = -2^(b-1) .. Qp. */
  lsq: {
    bits: [2, 8],
    frozen: true,
    at: (bits) => {
      const most = 2 ** (bits - 1) - 1;
      const levels = grid(row({ absMean: 2 / Math.sqrt(most) }), { first: -most - 1, last: most });
      return { ...levels, clip: { lower: levels.levels[0]!, upper: levels.levels.at(-1)! } };
    },
  },
};

/** Range-aware forms: levels from 0 upwards, the gradient closed half a step above the highest. */
export const UNSIGNED: Partial<Record<SchemeName, Form>> = {
  /** a = lambda_b rectifiedRms; levels k a, k = 0 .. 2^b - 1. */
  clip: { bits: [1, 8], at: (bits) => upward(row({ rectifiedRms: HALF_NORMAL[bits - 1]! }), bits) },

  /** a = max / (2^b - 1); levels k a. */
  zoom: { bits: [1, 8], at: (bits) => upward(row({ maximum: 1 / (2 ** bits - 1) }), bits) },

  /** a = 2^(floor(log2 max) - (b - 1)); levels k a. */
  fixed: { bits: [1, 8], at: (bits) => upward(row({ absMaximum: 2 ** (1 - bits) }), bits) },

  /** a = lambda_b rectifiedRms; levels 0, a 2^j, j = 0 .. 2^b - 2; thresholds half-way. */
  pot: {
    bits: [1, 4],
    at: (bits) => {
      const step = row({ rectifiedRms: HALF_NORMAL_POWERS[bits - 1]! });
      const levels = [row({}), ...Array.from({ length: 2 ** bits - 1 }, (_, j) => combine([step], [2 ** j]))];
      return closed({
        levels,
        thresholds: levels.slice(1).map((level, k) => combine([level, levels[k]!], [0.5, 0.5])),
        inclusive: levels.slice(1).map(() => false),
      });
    },
  },

  /** As signed, with Qp = 2^b - 1; levels k a, k = 0 .. Qp. */
  lsq: {
    bits: [1, 8],
    frozen: true,
    at: (bits) => {
      const most = 2 ** bits - 1;
      const levels = grid(row({ absMean: 2 / Math.sqrt(most) }), { first: 0, last: most });
      return { ...levels, clip: { lower: levels.levels[0]!, upper: levels.levels.at(-1)! } };
    },
  },
};

function upward(step: Row, bits: number): Coefficients {
  return closed(grid(step, { first: 0, last: 2 ** bits - 1 }));
}

function closed(open: Coefficients): Coefficients {
  return { ...open, clip: { upper: combine(open.levels.slice(-2), [-0.5, 1.5]) } };
}
