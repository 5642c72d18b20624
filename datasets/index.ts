import { cifar } from "./cifar.js";
import { fashionMnist } from "./fashionMnist.js";
import { idx } from "./idx.js";

/** Readers of image data sets. */
export const datasets = { fashionMnist, idx, cifar };

export type { ValidationOptions } from "./dataset.js";
export type { IdxOptions } from "./idx.js";
export type { Batch, BatchOptions, Dataset, Split } from "./split.js";
