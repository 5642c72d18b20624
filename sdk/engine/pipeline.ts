import type { TensorMap } from "./engine.js";

/** Bytes of images in memory, [count, ...shape]; or files of images, which the engine reads and decodes. */
export type Images = {
  /** Height, width and channels of every image. */
  readonly shape: readonly [height: number, width: number, channels: number];
} & (
  | { readonly pixels: Uint8Array; readonly files?: undefined }
  | {
      /** Paths of JPEG, PNG or still GIF files. */
      readonly files: readonly string[];
      /** Stretches every image to `shape`, bilinearly; otherwise one of another shape fails its batch. */
      readonly stretch: boolean;
    }
);

/** How batches are made from images: which of them, in which order, with which numbers beside, and what becomes of them. */
export interface Pipeline {
  /** Prepared once, and kept as long as this object is: give the same one for every pass. */
  readonly images: Images;
  /** The image of each example, the examples in the order of the batches. */
  readonly order: Int32Array;
  /** Whole numbers of each example: int32 [order.length, ...shape]. */
  readonly rows: Readonly<Record<string, { readonly values: Int32Array; readonly shape: readonly number[] }>>;
  /** Examples of every batch but the last, which has what is left. */
  readonly batchSize: number;
  /**
   * From `image`, bytes [n, ...shape], and the rows [n, ...] to a batch. A pure function like the body of a step. Of the
   * operations, only `moved` reads bytes.
   */
  readonly body: (inputs: TensorMap) => TensorMap;
}

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
