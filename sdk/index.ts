/**
 * The public door. Nothing that is not named here is part of the interface.
 */

export * as tf from "@tensorflow/tfjs";
// The one import that leads out of `sdk`: users expect the shipped data beside the rest.
export { datasets } from "../datasets/index.js";
export { autoqnn } from "./autoqnn.js";
export type { Displayable, MimeBundle } from "./display.js";
export { inspectEngine } from "./engine/doctor.js";
export type { Engine, Step, TensorMap } from "./engine/engine.js";
export { engine } from "./engine/index.js";
export type { ErrorCode } from "./errors.js";
export { AutoqnnError } from "./errors.js";
export type { NormalizationOutcome } from "./generate/index.js";
export { checkDestination, load, type QuantizedModel } from "./generate/index.js";
export type { GenerateOptions } from "./generation.js";
export type { Budget } from "./graph/budget.js";
export type { LeftAlone, QuantizedGraph, QuantizingNode } from "./graph/graph.js";
export { quantizedGraph } from "./graph/graph.js";
export { models } from "./model/index.js";
export type {
  AutoqnnOptions,
  FineTuneOptions,
  Learned,
  LearnPrecisionOptions,
  Searched,
  SearchSchemesOptions,
  Start,
  Tuned,
} from "./plan.js";
export { pretrain, score } from "./pretrain.js";
export type { Confusion } from "./report/confusion.js";
export type { Report } from "./report/contents.js";
export { bundleOf } from "./report/display.js";
export type { ImageOptions, Picture } from "./report/displayImage.js";
export { image } from "./report/displayImage.js";
export type { LayerErrorRow } from "./report/errorPerLayer.js";
export type { Figure } from "./report/figures.js";
export * as figures from "./report/figures.js";
export { htmlReport, textReport } from "./report/html.js";
export type { StillSize } from "./report/render.js";
export { renderPng, renderSvg } from "./report/render.js";
export { checkReportDirectory, saveReport } from "./report/saveReport.js";
export type { SensitivityOptions, SensitivityTable } from "./sensitivity.js";
export type { SchemeName } from "./staircase/schemes.js";
export { schemes } from "./staircase/schemes.js";
export type { Staircase } from "./staircase/staircase.js";
export type {
  CellContext,
  Done as StudyDone,
  Effect,
  EffectOptions,
  Failed as StudyFailed,
  FunctionStudy,
  KnownAxes,
  Metrics as StudyMetrics,
  OnCell,
  PlanStudy,
  Row as StudyRow,
  RunOptions as StudyRunOptions,
  Shard as StudyShard,
  Study,
  StudyOptions,
  StudyProgress,
  StudyResult,
} from "./study/index.js";
export { mergeStudies, readStudy, study } from "./study/index.js";
export type { Batch, BatchOptions, Data, Split } from "./train/data.js";
export type { Finding, FindingKind } from "./train/health/finding.js";
export { describeFinding } from "./train/health/finding.js";
export type { Look } from "./train/look.js";
export { looksOf } from "./train/look.js";
export type { Assignment, Candidate } from "./train/policy.js";
export type { Exchange, Price, Prices, Rate, Swap } from "./train/prices.js";
export { shadowPrices } from "./train/prices.js";
export type { OnProgress, Progress } from "./train/progress.js";
export { terminalProgress } from "./train/progress.js";
export type { AnyRun, Arm, History, LearnRun, Observed, Score, SearchRun, TuneRun } from "./train/run.js";
export type { LossChange, Sensitivity, SensitivityRow } from "./train/sensitivity.js";
