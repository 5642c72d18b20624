import type { TensorMap } from "../sdk/engine/engine.js";
import { engine } from "../sdk/engine/index.js";
import { enhanced, moved } from "../sdk/engine/ops.js";
import type { Pipeline } from "../sdk/engine/pipeline.js";
import { AutoqnnError } from "../sdk/errors.js";
import type { Batch, BatchOptions, Split } from "../sdk/index.js";
import { checkEnhancements, drawEnhancements } from "./enhancements.js";
import { countOf, type Images } from "./images.js";
import { drawShares, mixed } from "./mixup.js";
import { random, shuffled } from "./random.js";
import { centralWindows, cropOf, drawWindows } from "./windows.js";

export type { Batch, BatchOptions, Split };

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
    if (options.augment?.crop && !isCropped(images)) {
      throw new AutoqnnError(
        "bad-option",
        "Expected images that are cropped as they are read for augment.crop, received images that come as they are.",
        'Read them by datasets.imageFolder or datasets.tfRecords, with { size: 224, fit: "crop" }.',
      );
    }
    cropOf(options.augment?.crop);
    checkEnhancements(options.augment ?? {}, images.shape[2]);
    return { [Symbol.asyncIterator]: () => stream(images, samples, classes, options) };
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
    [Symbol.asyncIterator]: () => stream(images, samples, classes, { batchSize: 128 }),
  });
}

/** Every sample number of `images`, in order. */
export function everySample(images: Images): Uint32Array {
  return Uint32Array.from({ length: countOf(images) }, (_, i) => i);
}

function bodyOf(classes: number): (inputs: TensorMap) => TensorMap {
  return ({ image, moves, operations, shares, label, y = label }) => {
    const x = moved(operations ? enhanced(image!, operations) : image!, moves!);
    return shares ? mixed(x, y!, shares, classes) : { x, y: y! };
  };
}

async function* stream(
  images: Images,
  samples: Uint32Array,
  classes: number,
  options: BatchOptions,
): AsyncGenerator<Batch> {
  const { batchSize, seed, epoch = 0, augment, dropLast = false, skip = 0 } = options;
  const whole = seed === undefined ? samples : shuffled(samples, random("order", seed, epoch));
  const end = dropLast ? whole.length - (whole.length % batchSize) : whole.length;
  const chosen = whole.subarray(Math.min(skip * batchSize, end), end);
  const moves =
    augment && seed !== undefined
      ? drawMoves(whole.length, augment, seed, epoch).subarray(3 * skip * batchSize, 3 * end)
      : new Int32Array(3 * chosen.length);
  const windows = windowsOf(images, whole.length, options);
  const batches = (await engine()).batches("batches", {
    images,
    order: new Int32Array(chosen),
    ...(windows && { windows: windows.subarray(4 * skip * batchSize, 4 * end) }),
    rows: {
      moves: { values: moves, shape: [3] },
      ...drawnRows(images, whole.length, options, [skip * batchSize, end]),
      ...(images.labels && { y: { values: labelsOf(images.labels, chosen), shape: [] } }),
    },
    batchSize,
    body: bodyOf(classes),
  });
  let given = 0;
  try {
    for await (const batch of batches) {
      given += batchSize;
      yield batch as { [Name in keyof Batch]: Batch[Name] };
    }
  } catch (error) {
    await images.diagnose?.(chosen.subarray(given, given + batchSize));
    throw error;
  }
}

/** What changes the samples from `first` to `end` beside their moves; nothing where it is not asked for. */
function drawnRows(
  { shape: [height, width] }: Images,
  count: number,
  { batchSize, seed, epoch = 0, augment }: BatchOptions,
  [first, end]: readonly [number, number],
): Pipeline["rows"] {
  if (!augment || seed === undefined) return {};
  const { length, values } = drawEnhancements(count, [height, width], augment, seed, epoch);
  const { mixup } = augment;
  return {
    ...(length > 0 && {
      operations: { values: values.subarray(2 * length * first, 2 * length * end), shape: [length, 2] },
    }),
    ...(mixup !== undefined && {
      shares: { values: drawShares(count, batchSize, mixup, seed, epoch).subarray(first, end), shape: [] },
    }),
  };
}

/** The windows of all samples of an epoch, where images are cropped out of files. */
function windowsOf(
  images: Images,
  count: number,
  { seed, epoch = 0, augment }: BatchOptions,
): Int32Array | undefined {
  if (!isCropped(images)) return undefined;
  const crop = cropOf(augment?.crop);
  return crop && seed !== undefined ? drawWindows(count, crop, seed, epoch) : centralWindows(count);
}

const isCropped = (images: Images): boolean => images.files !== undefined && images.fit === "crop";

// A loop, because `from` with a function takes ten times as long.
function labelsOf(labels: Uint8Array | Uint16Array, samples: Uint32Array): Int32Array {
  const out = new Int32Array(samples.length);
  for (let n = 0; n < out.length; n++) out[n] = labels[samples[n]!]!;
  return out;
}

/**
 * How each sample is moved: flipped (0 or 1), rows down, columns right. Drawn for the whole epoch at once, so that neither
 * skipping nor the batch size changes a sample's move.
 */
function drawMoves(
  count: number,
  augment: NonNullable<BatchOptions["augment"]>,
  seed: number,
  epoch: number,
): Int32Array {
  const draw = random("augment", seed, epoch);
  const reach = augment.shift ?? 0;
  const shift = (): number => Math.floor(draw() * (2 * reach + 1)) - reach;
  const moves = new Int32Array(3 * count);
  for (let n = 0; n < count; n++) {
    const flip = draw() < 0.5;
    moves[3 * n] = augment.flip && flip ? 1 : 0;
    moves[3 * n + 1] = shift();
    moves[3 * n + 2] = shift();
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
