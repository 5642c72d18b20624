/** Every figure of this package: stage values in, plotly's data and layout out. */
export { bitsPerNode } from "./bitsPerNode.js";
export { bitsOverTime, lossOverTime, thetaOverTime } from "./overTime.js";
export type { Figure } from "./panels.js";
export { staircases } from "./staircases.js";
