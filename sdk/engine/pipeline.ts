import type { TensorMap } from "./engine.js";

/** Bytes of images in memory, [count, ...shape]; or images in files or in records, which the engine reads and decodes. */
export type Images = Shaped & (BytesInMemory | Files | Records);

/** Images in files, one in each. */
export type FileImages = Shaped & Files;

/** Images in the records of TFRecord files, with a class beside each. */
export type RecordImages = Shaped & Records;

interface Shaped {
  /** Height, width and channels of every image. */
  readonly shape: readonly [height: number, width: number, channels: number];
}

interface BytesInMemory {
  readonly pixels: Uint8Array;
  readonly files?: undefined;
  readonly records?: undefined;
}

interface Fitted {
  /**
   * How an image comes to `shape`. "exact": one of another shape fails its batch. "stretch": bilinearly, whatever its
   * proportions. "crop": a window of it, which the pipeline's `windows` say.
   */
  readonly fit: "exact" | "stretch" | "crop";
}

interface Files extends Fitted {
  /** Paths of JPEG, PNG or, unless they are cropped, still GIF files. */
  readonly files: readonly string[];
  readonly records?: undefined;
}

interface Records extends Fitted {
  /** Paths of the TFRecord files. */
  readonly files: readonly string[];
  readonly records: {
    /** The file of each record, as a place in `files`, and the byte at which it begins. */
    readonly file: Int32Array;
    readonly offset: BigInt64Array;
    /** The features of an example that hold the image, bytes as a file's, and its class, one whole number. */
    readonly image: string;
    readonly label: string;
    /** The number of the first class; another than this and the `classes - 1` after it fails its batch. */
    readonly first: number;
    readonly classes: number;
  };
}

/** How batches are made from images: which of them, in which order, with which numbers beside, and what becomes of them. */
export interface Pipeline {
  /** Prepared once, and kept as long as this object is: give the same one for every pass. */
  readonly images: Images;
  /** The image of each example, the examples in the order of the batches. */
  readonly order: Int32Array;
  /**
   * Where images are cropped, four numbers of each example's window: share, ratio, down, right. With a share above 0, in parts
   * of `WINDOW_ONE`: of this share of the image's area, of `ratio` (in parts of `WINDOW_RATIO`) times the proportions of
   * `shape`, cut where it is longer than the image, moved by these fractions of the room left. Otherwise the largest window of
   * the proportions of `shape`, its sides shrunk by -share, in the middle.
   */
  readonly windows?: Int32Array;
  /** Whole numbers of each example: int32 [order.length, ...shape]. */
  readonly rows: Readonly<Record<string, { readonly values: Int32Array; readonly shape: readonly number[] }>>;
  /** Examples of every batch but the last, which has what is left. */
  readonly batchSize: number;
  /**
   * From `image`, bytes [n, ...shape], and the rows [n, ...] to a batch; of records also from `label`, int32 [n], the classes
   * from 0. A pure function like the body of a step. Of the operations, only `moved` and `enhanced` read bytes.
   */
  readonly body: (inputs: TensorMap) => TensorMap;
}

/** What stands for 1 in a window's share, down and right, and in its ratio. */
export const WINDOW_ONE = 2 ** 24;
export const WINDOW_RATIO = 2 ** 16;

/** Batches of one size: `count` of them from example `first` on. */
export interface Run {
  readonly first: number;
  readonly size: number;
  readonly count: number;
}

/** The whole batches, and the smaller one after them; each absent where there is none. */
export function runsOf({ order, batchSize }: Pipeline): readonly Run[] {
  const count = Math.floor(order.length / batchSize);
  const first = count * batchSize;
  const runs = [
    { first: 0, size: batchSize, count },
    { first, size: order.length - first, count: 1 },
  ];
  return runs.filter((run) => run.size > 0 && run.count > 0);
}

export const elements = (shape: readonly number[]): number =>
  shape.reduce((product, size) => product * size, 1);
