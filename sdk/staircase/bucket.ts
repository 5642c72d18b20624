/** The number of ascending thresholds below `x`, by bisection. NaN counts as below all of them. */
export function bucket(
  thresholds: ArrayLike<number>,
  x: number,
  low = 0,
  high: number = thresholds.length,
): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x > thresholds[middle]!) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Cells of the range for each threshold: most values are then one comparison from their bucket. */
const CELLS = 4;

/**
 * The bucket of every value of `x`. The range of the thresholds is cut into equal cells, so that a value's own cell says
 * between which thresholds it lies; cells take several times fewer comparisons than bisection from the ends, most of which a
 * processor mispredicts.
 */
export function buckets(thresholds: Float32Array, x: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(x.length);
  const count = CELLS * thresholds.length;
  const first = thresholds[0] ?? 0;
  const width = ((thresholds.at(-1) ?? 0) - first) / count;
  if (count > x.length || !(width > 0) || width === Infinity) {
    for (let i = 0; i < x.length; i++) out[i] = bucket(thresholds, x[i]!);
    return out;
  }
  // One more at either end, for the cell may be the next one by rounding.
  const ends = Uint16Array.from({ length: count + 3 }, (_, i) => bucket(thresholds, first + (i - 1) * width));
  ends[0] = 0;
  ends[count + 2] = thresholds.length;
  for (let i = 0; i < x.length; i++) {
    const value = x[i]!;
    const cell = Math.max(0, Math.min(count - 1, (value - first) / width)) | 0;
    out[i] = bucket(thresholds, value, ends[cell]!, ends[cell + 3]!);
  }
  return out;
}

/** The level of every bucket number. */
export function leveled(levels: Float32Array, codes: Uint16Array): Float32Array {
  const out = new Float32Array(codes.length);
  for (let i = 0; i < codes.length; i++) out[i] = levels[codes[i]!]!;
  return out;
}
