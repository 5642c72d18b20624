/**
 * What a quantizer may know of a tensor: a vector, in this order. Every scheme at every bitwidth is a pair of constant
 * matrices acting on it (`schemes.ts`), on the host and on the device alike.
 *
 * | name | value |
 * |---|---|
 * | one | 1, for constant terms such as the reference's 1e-7 |
 * | absMean | mean abs x, which is also residual's first scale |
 * | ternaryMean | mean of abs x over the x that ternary does not round to zero |
 * | deviation | standard deviation of x, divided by N - 1 |
 * | rectifiedRms | sqrt(2 E[x^2]): the deviation of the symmetric tensor whose rectified half x is |
 * | minimum, maximum | the range of x |
 * | absMaximum | max abs x; schemes see it as `power`, 2^floor(log2 absMaximum) |
 * | residual2 .. residual5 | residual's further scales: a_i = mean abs r_i, r_{i+1} = r_i - a_i sign r_i |
 */
export const STATISTICS = [
  "one",
  "absMean",
  "ternaryMean",
  "deviation",
  "rectifiedRms",
  "minimum",
  "maximum",
  "absMaximum",
  "residual2",
  "residual3",
  "residual4",
  "residual5",
] as const;

export type Statistic = (typeof STATISTICS)[number];
