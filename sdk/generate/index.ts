export type { Artifact, NormalizationOutcome, Provenance, Sizes } from "./artifact.js";
export { corrected } from "./correct.js";
export { fold, type Packable, unfolded } from "./fold.js";
export { artifactOf, generate } from "./generate.js";
export { load } from "./load.js";
export { stagesOf } from "./provenance.js";
export { type EvaluateOptions, QuantizedModel, type QuantizedNode } from "./quantizedModel.js";
export { decode } from "./runtime.js";
export { checkDestination } from "./save.js";
