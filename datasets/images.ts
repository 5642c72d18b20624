import type { Images as EngineImages } from "../sdk/engine/pipeline.js";

/** Images, as bytes in memory or as files, with one class number each. */
export type Images = EngineImages & {
  readonly labels: Uint8Array | Uint16Array;
  /** Throws AutoqnnError `bad-file` for the first of these images that cannot be had; returns if all can. */
  readonly diagnose?: (samples: Uint32Array) => Promise<void>;
};
