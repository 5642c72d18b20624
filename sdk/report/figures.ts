/** Every figure of this package: stage values in, plotly's data and layout out. */
export { bitsAgainstSensitivity } from "./bitsAgainstSensitivity.js";
export { bitsPerNode } from "./bitsPerNode.js";
export { confusionMatrix } from "./confusion.js";
export { errorPerLayer } from "./errorPerLayer.js";
export { frontier } from "./frontier.js";
export { bitsOverTime, lossOverTime, thetaOverTime } from "./overTime.js";
export type { Figure } from "./panels.js";
export { staircases } from "./staircases.js";
export { whereBitsGo } from "./whereBitsGo.js";
