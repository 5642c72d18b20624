import type { Images as EngineImages, RecordImages } from "../sdk/engine/pipeline.js";

/** Throws AutoqnnError `bad-file` for the first of these images that cannot be had; returns if all can. */
type Diagnose = (samples: Uint32Array) => Promise<void>;

/** Images, as bytes in memory, as files or in records, with one class number each. */
export type Images = (
  | (Exclude<EngineImages, RecordImages> & { readonly labels: Uint8Array | Uint16Array })
  | (RecordImages & { readonly labels?: undefined })
) & { readonly diagnose?: Diagnose };

/** Images of which the classes are known before they are read. */
export type LabelledImages = Extract<Images, { labels: Uint8Array | Uint16Array }>;

export const countOf = (images: Images): number =>
  images.labels === undefined ? images.records.file.length : images.labels.length;
