import { cifar } from "./cifar.js";
import { fashionMnist } from "./fashionMnist.js";
import { idx } from "./idx.js";
import { imageFolder } from "./imageFolder.js";
import { tfRecords } from "./tfRecords.js";

/** Readers of image data sets. */
export const datasets = { fashionMnist, idx, cifar, imageFolder, tfRecords };

export type { ValidationOptions } from "./dataset.js";
export type { IdxOptions } from "./idx.js";
export type { ImageFolderOptions } from "./imageFolder.js";
export type { Batch, BatchOptions, Dataset, Split } from "./split.js";
export type { TfRecordsOptions } from "./tfRecords.js";
