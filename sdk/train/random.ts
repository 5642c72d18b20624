import seedrandom from "seedrandom";

/**
 * A stream of uniform numbers in (0, 1), a pure function of `seed` and the names of what it is for, so that two uses of
 * one seed never share numbers.
 */
export function stream(seed: number, ...purpose: readonly (string | number)[]): () => number {
  const draw = seedrandom.alea([seed, ...purpose].join("/"));
  return () => Math.max(draw(), Number.MIN_VALUE);
}

/** `count` independent draws of the standard Gumbel distribution, -log(-log u), from a stream. */
export function gumbel(draw: () => number, count: number): Float32Array {
  return Float32Array.from({ length: count }, () => -Math.log(-Math.log(draw())));
}
