export type { Artifact, NormalizationOutcome, Provenance, Sizes } from "./artifact.js";
export { fold, type Packable, unfolded } from "./fold.js";
export { generate } from "./generate.js";
export { load } from "./load.js";
export { stagesOf } from "./provenance.js";
export { type EvaluateOptions, QuantizedModel, type QuantizedNode } from "./quantizedModel.js";
export { checkDestination } from "./save.js";
