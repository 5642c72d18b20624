import { setImmediate } from "node:timers/promises";
import * as tf from "@tensorflow/tfjs";
import { notebook } from "../display.js";
import { AutoqnnError } from "../errors.js";
import { fingerprint } from "./checkpoint.js";
import { refuseStopped } from "./stopped.js";

/** One batch of n examples. Whoever takes it from a split disposes both tensors. */
export interface Batch {
  /** float32 [n, ...shape]; pixels of the shipped readers are scaled to 0 .. 1. */
  readonly x: tf.Tensor;
  /** int32 [n], class numbers; or float32 [n, classes], probabilities. */
  readonly y: tf.Tensor;
}

/** How one pass over the data is asked for. */
export interface BatchOptions {
  readonly batchSize: number;
  /** Shuffles, and draws the augmentation. Absent: the order of the split. */
  readonly seed?: number;
  /** Which pass over the data this is, from 0: order and augmentation are a pure function of (seed, epoch). */
  readonly epoch?: number;
  /**
   * Random horizontal flips; random shifts of up to `shift` pixels, zeros moving in; and, of images that are cropped out of
   * files, windows of random area (a share of the image's, by default 0.08 to 1) and proportions (width to height in parts of
   * the target's, by default 3/4 to 4/3). Needs a seed.
   *
   * `jitter`: brightness, contrast and saturation by factors from 1 - value (at least 0) to 1 + value, hue by up to `hue` (at
   * most 0.5) of a turn either way, in random order, as torchvision's ColorJitter. `randAugment`: that many of the 14 operations
   * of Cubuk et al. (2020), by default 2, at a magnitude from 0 to 30, by default 9, with torchvision's ranges. Both need images
   * of 1 or 3 channels and the native engine. `mixup`: each batch mixed with itself backwards by a share of Beta(mixup, mixup)
   * (Zhang et al., 2018), so that labels become probabilities [n, classes].
   */
  readonly augment?: {
    readonly flip?: boolean;
    readonly shift?: number;
    readonly jitter?: {
      readonly brightness?: number;
      readonly contrast?: number;
      readonly saturation?: number;
      readonly hue?: number;
    };
    readonly randAugment?: boolean | { readonly operations?: number; readonly magnitude?: number };
    readonly mixup?: number;
    readonly crop?:
      | boolean
      | {
          readonly area?: readonly [least: number, most: number];
          readonly ratio?: readonly [least: number, most: number];
        };
  };
  /** Leaves out a last batch smaller than the others. */
  readonly dropLast?: boolean;
  /** Starts after so many batches; the rest is what it would have been. For resuming. */
  readonly skip?: number;
}

/**
 * A part of a data set, which can be read in any order. Iterating it gives batches of 128 in its own.
 *
 * @example
 * for await (const { x, y } of data.train.batches({ batchSize: 32, seed: 7, epoch: 0, augment: { flip: true } })) {
 *   console.log(x.shape, y.shape); // [32, 28, 28, 1] [32]
 *   tf.dispose([x, y]);
 * }
 */
export interface Split extends AsyncIterable<Batch> {
  /** Number of examples. */
  readonly size: number;
  /** Shape of one example: of an image height, width, channels. */
  readonly shape: readonly number[];
  /** Labels are 0 .. classes - 1. */
  readonly classes: number;
  /** @throws AutoqnnError `bad-option` at once, before the first batch. */
  batches(options: BatchOptions): AsyncIterable<Batch>;
  /** Two disjoint halves, drawn at random by `seed`; the first has the odd example. */
  halves(seed: number): readonly [Split, Split];
  /** The first `count` examples. */
  take(count: number): Split;
}

/** What a plan learns from: a split, or any iterable of batches that can be iterated once per epoch. */
export type Examples = Split | AsyncIterable<Batch> | Iterable<Batch>;

/** Training data, and the held-out data on which every choice is made; `test` is read only when asked. */
export interface Data {
  readonly train: Examples;
  readonly validation?: Examples;
  readonly test?: Examples;
  /** How training images may be changed without changing their class; absent, they are used as they are. */
  readonly augment?: BatchOptions["augment"];
}

/** Examples whose shape, number of classes and batches per epoch are known and checked. */
export interface Source {
  /** The object that these examples come from: what tells one data set from another. */
  readonly examples: object;
  /** A digest of what was read to check them, the whole or the first batch of a split: it tells a checkpoint's data from others. */
  readonly identity: string;
  readonly batchesPerEpoch: (batchSize: number, dropLast?: boolean) => number;
  readonly epoch: (options: BatchOptions) => AsyncIterable<Batch>;
  /** Whether a pass may begin before another has ended; a user's iterable may have one place in its data for all. */
  readonly overlapping: boolean;
  readonly halves: (seed: number) => readonly [Source, Source];
}

const isSplit = (examples: Examples): examples is Split => "batches" in examples && "size" in examples;

/**
 * Checks `examples` against a model before any work is done.
 *
 * A split is checked by what it states and by its first batch; another iterable is read once, whole, which also counts
 * its batches, until `signal` fires, by default that of the notebook's running cell.
 *
 * @throws AutoqnnError `bad-data` for an empty set, a wrong shape, a label out of range or a non-finite input; `aborted`
 */
export async function checkedSource(
  name: string,
  examples: Examples,
  model: { readonly inputShape: readonly (number | null)[]; readonly classes: number },
  signal: AbortSignal | undefined = notebook()?.signal,
): Promise<Source> {
  if (isSplit(examples) && examples.classes > model.classes) {
    throw new AutoqnnError(
      "bad-data",
      `Expected at most ${model.classes} classes in ${name}, the number of the model's outputs, received ${examples.classes}.`,
      "Give the model one output per class, or the data the model was trained for.",
    );
  }
  const digests: string[] = [];
  const whole = !isSplit(examples);
  const refuse = (): void =>
    refuseStopped(signal, `Reading ${name} was stopped after ${digests.length} batches`);
  if (whole) refuse();
  for await (const batch of examples) {
    digests.push(checkBatch(`${name} batch ${digests.length}`, batch, model));
    if (!whole) {
      tf.dispose([batch.x, batch.y]);
      break;
    }
    // An iterable may have no end, and give its batches without ever waiting.
    await setImmediate();
    refuse();
  }
  if (digests.length === 0) {
    throw new AutoqnnError(
      "bad-data",
      `Expected examples in ${name}, received an empty data set.`,
      "An iterable must give its batches again each time it is iterated: pass a dataset or an iterable, not a generator.",
    );
  }
  return isSplit(examples)
    ? fromSplit(examples, fingerprint(examples.size, digests))
    : fromIterable(examples, digests);
}

function fromSplit(split: Split, identity: string, examples: object = split): Source {
  return {
    examples,
    identity,
    batchesPerEpoch: (batchSize, dropLast = false) =>
      Math.max(1, dropLast ? Math.floor(split.size / batchSize) : Math.ceil(split.size / batchSize)),
    epoch: (options) =>
      split.batches(split.size < options.batchSize ? { ...options, dropLast: false } : options),
    overlapping: true,
    halves: (seed) => {
      const [first, second] = split.halves(seed);
      return [fromSplit(first, identity, examples), fromSplit(second, identity, examples)];
    },
  };
}

/** Batches of a user's iterable come as they are, in their own order and size; halves take turns. */
function fromIterable(examples: AsyncIterable<Batch> | Iterable<Batch>, digests: readonly string[]): Source {
  const count = digests.length;
  const identity = fingerprint(digests);
  const every = (parity: 0 | 1 | undefined): Source => ({
    examples,
    identity,
    batchesPerEpoch: () => (parity === undefined ? count : Math.max(1, Math.ceil((count - parity) / 2))),
    epoch: async function* ({ skip = 0 }) {
      let index = 0;
      let given = 0;
      for await (const { x, y } of examples) {
        const mine = parity === undefined || count === 1 || index % 2 === parity;
        index++;
        // The user's tensors stay theirs: a clone is what the loop may dispose.
        if (mine && given++ >= skip) yield { x: x.clone(), y: y.clone() };
      }
    },
    overlapping: false,
    halves: () => [every(0), every(1)],
  });
  return every(undefined);
}

/** Checks a batch, and gives a digest of what it holds. */
function checkBatch(
  where: string,
  batch: Batch,
  model: { readonly inputShape: readonly (number | null)[]; readonly classes: number },
): string {
  const { x, y } = batch ?? {};
  if (!(x instanceof tf.Tensor) || !(y instanceof tf.Tensor)) {
    throw new AutoqnnError(
      "bad-data",
      `Expected { x: Tensor, y: Tensor } in ${where}, received ${describe(batch)}.`,
      "Give batches of tensors: x [n, ...inputShape], y [n] class numbers or [n, classes] probabilities.",
    );
  }
  const expected = model.inputShape.slice(1);
  const fits =
    x.rank === expected.length + 1 && expected.every((size, i) => size === null || size === x.shape[i + 1]);
  if (!fits || x.shape[0] !== y.shape[0]) {
    throw new AutoqnnError(
      "bad-data",
      `Expected x of shape [n, ${expected.map((d) => d ?? "any").join(", ")}] and n labels in ${where}, received x [${x.shape.join(", ")}] and y [${y.shape.join(", ")}].`,
      "Reshape or resize the data to the model's input shape.",
    );
  }
  if (y.rank === 2 ? y.shape[1] !== model.classes : y.rank !== 1) {
    throw new AutoqnnError(
      "bad-data",
      `Expected labels of shape [n] or [n, ${model.classes}] in ${where}, received [${y.shape.join(", ")}].`,
      "Give class numbers or one probability per class of the model's output.",
    );
  }
  if (y.rank === 1) {
    const labels = y.dataSync();
    const bad = labels.findIndex((label) => !Number.isInteger(label) || label < 0 || label >= model.classes);
    if (bad >= 0) {
      throw new AutoqnnError(
        "bad-data",
        `Expected labels from 0 to ${model.classes - 1} in ${where}, received ${labels[bad]} at position ${bad}.`,
        "The model's last layer must have one output per class, and labels count from 0.",
      );
    }
  }
  const values = x.dataSync();
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new AutoqnnError(
      "bad-data",
      `Expected finite inputs in ${where}, received ${values[bad]} at element ${bad}.`,
      "Remove or mend the example before quantizing.",
    );
  }
  return fingerprint(x.shape, values, y.dataSync());
}

function describe(value: unknown): string {
  if (value === null || typeof value !== "object") return String(value);
  return `{ ${Object.entries(value)
    .map(
      ([key, v]) =>
        `${key}: ${v === null ? "null" : typeof v === "object" ? (v.constructor?.name ?? "object") : typeof v}`,
    )
    .join(", ")} }`;
}
