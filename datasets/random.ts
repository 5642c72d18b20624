/** What a stream of random numbers is for. Streams of one seed share nothing, so using one never moves another. */
const STREAMS = {
  order: 1,
  augment: 2,
  halves: 3,
  validation: 4,
  test: 5,
  crop: 6,
  enhance: 7,
  mix: 8,
} as const;

export type Stream = keyof typeof STREAMS;

/**
 * Chris Doty-Humphrey's sfc32, started from (seed, epoch, stream): uniform numbers in [0, 1).
 *
 * Pure integer arithmetic: the same numbers on every machine.
 */
export function random(stream: Stream, seed: number, epoch = 0): () => number {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = epoch | 0;
  let counter: number = STREAMS[stream];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  // Seeds that differ in one bit give unrelated numbers only after the generator's usual warm-up.
  for (let i = 0; i < 15; i++) next();
  return next;
}

/** A shuffled copy (Fisher and Yates). */
export function shuffled(items: Uint32Array, draw: () => number): Uint32Array {
  const out = new Uint32Array(items);
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(draw() * (i + 1));
    const kept = out[i]!;
    out[i] = out[j]!;
    out[j] = kept;
  }
  return out;
}
