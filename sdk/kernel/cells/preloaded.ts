/** What cells find beside the SDK's exports, and which file of this folder exports it: read by the compiler of cells too. */
export const PRELOADED = {
  clearOutput: "display",
  comms: "comms",
  dfd: "dataFrames",
  display: "display",
  input: "input",
  plotly: "plotly",
} as const;
