/**
 * The largest magnitude of a channel becomes 127/64, to which fixed at 8 bits reaches: its step is then the largest magnitude
 * over 127, zero is a level, and no value is cut off. The other schemes give the same values whatever this number is.
 */
export const OF_LARGEST: number = Math.fround(64 / 127);

/** The axes that number the channels of a tensor together, counted from the last, -1. */
export type ChannelAxes = readonly number[];

/** The shape of one number per channel that broadcasts to a tensor of this shape. */
export const channelShape = (shape: readonly number[], axes: ChannelAxes): number[] =>
  shape.map((size, axis) => (axes.includes(axis - shape.length) ? size : 1));

/**
 * What every channel of a tensor is divided by before all channels share one staircase, in the order of `channelShape`: its
 * largest magnitude times 64/127, or 1 where all its values are 0.
 *
 * @example
 * channelFactors([254, 0.5, -127, 0], [2, 2], [-1]); // Float32Array [128, 0.25197]
 */
export function channelFactors(
  data: ArrayLike<number>,
  shape: readonly number[],
  axes: ChannelAxes,
): Float32Array {
  const largest = new Float32Array(product(channelShape(shape, axes)));
  const channel = channelOf(shape, axes);
  for (let i = 0; i < data.length; i++)
    largest[channel(i)] = Math.max(largest[channel(i)]!, Math.abs(data[i]!));
  return largest.map((magnitude) => Math.fround(magnitude * OF_LARGEST) || 1);
}

/** The values of a tensor, each divided by the factor of its channel and rounded once. */
export function dividedByChannel(
  data: ArrayLike<number>,
  shape: readonly number[],
  axes: ChannelAxes,
): Float32Array {
  const factors = channelFactors(data, shape, axes);
  const channel = channelOf(shape, axes);
  return Float32Array.from(data, (x, i) => x / factors[channel(i)]!);
}

/** The number of the channel that value i of a tensor belongs to. */
export function channelOf(shape: readonly number[], axes: ChannelAxes): (i: number) => number {
  const numbering = shape.flatMap((size, axis) =>
    axes.includes(axis - shape.length) ? [{ size, below: product(shape.slice(axis + 1)) }] : [],
  );
  return (i) => {
    let channel = 0;
    for (const { size, below } of numbering) channel = channel * size + (Math.floor(i / below) % size);
    return channel;
  };
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);
