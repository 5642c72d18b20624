import * as tf from "@tensorflow/tfjs";
import { AutoqnnError } from "../sdk/errors.js";
import { gather, type Images, type Moves } from "./gather.js";
import { random, shuffled } from "./random.js";

/** One batch. Whoever receives it disposes both tensors. */
export interface Batch {
  /** float32 [n, height, width, channels], pixels scaled to 0 .. 1. */
  readonly x: tf.Tensor;
  /** int32 [n], class numbers. */
  readonly y: tf.Tensor1D;
}

export interface BatchOptions {
  readonly batchSize: number;
  /** Shuffles, and draws the augmentation. Absent: the order of the split. */
  readonly seed?: number;
  /** Which pass over the data this is, from 0: order and augmentation are a pure function of (seed, epoch). */
  readonly epoch?: number;
  /** Random horizontal flips, and random shifts of up to `shift` pixels, zeros moving in. Needs a seed. */
  readonly augment?: { readonly flip?: boolean; readonly shift?: number };
  /** Leaves out a last batch smaller than the others. */
  readonly dropLast?: boolean;
  /** Starts after so many batches; the rest is what it would have been. For resuming. */
  readonly skip?: number;
}

/**
 * A part of a data set. Iterating it gives batches of 128 in order.
 *
 * @example
 * for await (const { x, y } of data.train.batches({ batchSize: 32, seed: 7, epoch: 0, augment: { flip: true } })) {
 *   console.log(x.shape, y.shape); // [32, 28, 28, 1] [32]
 *   tf.dispose([x, y]);
 * }
 */
export interface Split extends AsyncIterable<Batch> {
  /** Number of samples. */
  readonly size: number;
  /** Shape of one sample: height, width, channels. */
  readonly shape: readonly number[];
  /** Labels are 0 .. classes - 1. */
  readonly classes: number;
  /** @throws AutoqnnError `bad-option` at once, before the first batch. */
  batches(options: BatchOptions): AsyncIterable<Batch>;
  /** Two disjoint halves, drawn at random by `seed`; the first has the odd sample. */
  halves(seed: number): [Split, Split];
  /** The first `count` samples. */
  take(count: number): Split;
}

export interface Dataset {
  readonly name: string;
  readonly train: Split;
  readonly validation: Split;
  readonly test: Split;
  readonly classNames?: readonly string[];
  /** Changes that leave the class of a training image as it is; absent where that is not known. */
  readonly augment?: NonNullable<BatchOptions["augment"]>;
}

/** The split of `images` that holds `samples`, in this order. Splits share the pixels, which stay bytes. */
export function split(images: Images, classes: number, samples = everySample(images)): Split {
  const part = (chosen: Uint32Array): Split => split(images, classes, chosen);
  const batches = (options: BatchOptions): AsyncIterable<Batch> => {
    check(options);
    return { [Symbol.asyncIterator]: () => stream(images, samples, options) };
  };
  return Object.freeze({
    size: samples.length,
    shape: images.shape,
    classes,
    batches,
    halves: (seed: number): [Split, Split] => {
      whole("seed", seed, Number.MIN_SAFE_INTEGER);
      const order = shuffled(samples, random("halves", seed));
      const middle = Math.ceil(order.length / 2);
      return [part(order.subarray(0, middle)), part(order.subarray(middle))];
    },
    take: (count: number): Split => {
      whole("count", count, 1, samples.length);
      return part(samples.subarray(0, count));
    },
    [Symbol.asyncIterator]: () => stream(images, samples, { batchSize: 128 }),
  });
}

/** Every sample number of `images`, in order. */
export function everySample(images: Images): Uint32Array {
  return Uint32Array.from({ length: images.labels.length }, (_, i) => i);
}

async function* stream(images: Images, samples: Uint32Array, options: BatchOptions): AsyncGenerator<Batch> {
  const { batchSize, seed, epoch = 0, augment, dropLast = false, skip = 0 } = options;
  const order = seed === undefined ? samples : shuffled(samples, random("order", seed, epoch));
  const moves = augment && seed !== undefined ? drawMoves(order.length, augment, seed, epoch) : undefined;
  const end = dropLast ? order.length - (order.length % batchSize) : order.length;
  for (let first = skip * batchSize; first < end; first += batchSize) {
    const chosen = order.subarray(first, Math.min(first + batchSize, end));
    const x = gather(images, chosen, moves?.subarray(3 * first));
    const y = Int32Array.from(chosen, (sample) => images.labels[sample]!);
    yield { x: tf.tensor(x, [chosen.length, ...images.shape]), y: tf.tensor1d(y, "int32") };
  }
}

/** Drawn for the whole epoch at once, so that neither skipping nor the batch size changes a sample's move. */
function drawMoves(
  count: number,
  augment: NonNullable<BatchOptions["augment"]>,
  seed: number,
  epoch: number,
): Moves {
  const draw = random("augment", seed, epoch);
  const reach = augment.shift ?? 0;
  const shift = (): number => Math.floor(draw() * (2 * reach + 1)) - reach;
  const moves = new Int16Array(3 * count);
  for (let n = 0; n < count; n++) {
    const flip = draw() < 0.5;
    moves.set([augment.flip && flip ? 1 : 0, shift(), shift()], 3 * n);
  }
  return moves;
}

function check({ batchSize, seed, epoch, augment, skip }: BatchOptions): void {
  whole("batchSize", batchSize, 1);
  if (seed !== undefined) whole("seed", seed, Number.MIN_SAFE_INTEGER);
  if (epoch !== undefined) whole("epoch", epoch, 0, 2 ** 31 - 1);
  if (skip !== undefined) whole("skip", skip, 0);
  if (augment?.shift !== undefined) whole("augment.shift", augment.shift, 0, 2 ** 15 - 1);
  if (augment && seed === undefined) {
    throw new AutoqnnError(
      "bad-option",
      "Expected a seed beside augment, received none.",
      "Give batches({ seed, augment, ... }): augmentation is drawn from the seed.",
    );
  }
}

function whole(name: string, value: number, least: number, most = Number.MAX_SAFE_INTEGER): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new AutoqnnError(
    "bad-option",
    `Expected a whole number from ${least} to ${most} for ${name}, received ${value}.`,
    `Give ${name} in this range.`,
  );
}
