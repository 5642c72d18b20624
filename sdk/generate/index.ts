export type { Artifact, Provenance, Sizes } from "./artifact.js";
export { checkDestination, load } from "./files.js";
export { generate } from "./generate.js";
export { stagesOf } from "./provenance.js";
export { type EvaluateOptions, QuantizedModel, type QuantizedNode } from "./quantizedModel.js";
