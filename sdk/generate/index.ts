export type { Artifact, Provenance, Sizes } from "./artifact.js";
export { generate } from "./generate.js";
export { load } from "./load.js";
export { stagesOf } from "./provenance.js";
export { type EvaluateOptions, QuantizedModel, type QuantizedNode } from "./quantizedModel.js";
export { checkDestination } from "./save.js";
